import { join, relative } from 'node:path'
import type { ReadHost, WriteHost } from '../../../src/core/contracts/host.ts'
import type { Definition } from '../../../src/core/model/definition.ts'
import { wasThere } from '../../../src/core/state/file-age.ts'
import type { Observed } from '../../../src/core/state/observed.ts'
import { sha256 } from '../../../src/host/sha256.ts'
import { formatClaim, formatLaunched, formatSums, readLoaded, type Sum } from '../definition/records.ts'
import { isPlainRun } from '../definition/run-script.ts'
import type { Family } from '../family.ts'
import { type Layout, type Place, placeOf } from '../layout.ts'
import { createEvidence } from './evidence.ts'
import { findLinked, isElsewhere, observeService } from './observation.ts'
import { readSupervision } from './supervision.ts'

/**
 * Observes a stranger's service as if the declared definition were its own (E20). The process can continue if its run script
 * is the declared native text, along with everything that Reeve would replace, unchanged since the start. Scripts of Reeve
 * that lost their marker have recorded themselves what they have read.
 */
export function observeAdoptable(
  family: Family,
  layout: Layout,
  service: string,
  definition: Definition,
  host: ReadHost,
): Observed {
  const observed = observeService(family, layout, service, host, createEvidence(family, host))
  const { loaded, ...rest } = observed
  const runs = observed.state === 'running' || observed.state === 'starting'
  if (!runs || loaded?.definition === definition.digest) return observed
  const place = placeOf(layout, service)
  const linked = findLinked(place, host)
  const stale = isElsewhere(linked, place, host)
    ? `its definition is in ${linked}, and comes to ${place.directory}`
    : findStale(family, place, definition, host)
  if (stale !== undefined) return { ...rest, stale }
  return { ...rest, loaded: { definition: definition.digest, files: {} } }
}

/** Reason why the process wasn't started as declared, or can't continue, for people. Undefined: it can. */
export function findStale(family: Family, place: Place, definition: Definition, host: ReadHost): string | undefined {
  const found = readSupervision(family, place, host)
  if (found.state !== 'alive' || found.orphan || found.status.state !== 'up') return 'nobody watches over what runs'
  const declared = new Map(definition.files.map(file => [relative(place.directory, file.path), file.content]))
  const run = declared.get('reeve/native-run')
  if (run === undefined || !isPlainRun(declared.get('run') ?? '')) {
    return `Reeve writes a run script for spec.process, which isn't the one in ${place.directory}`
  }
  const texts = new Map([...declared, ['run', run]])
  texts.delete('finish')
  const finish = declared.get('reeve/native-finish')
  if (finish !== undefined) texts.set('finish', finish)
  for (const name of listParts(texts, place, host)) {
    const path = join(place.directory, name)
    const [there, text] = [host.readText(path), texts.get(name)]
    if (there === undefined && isReeves(text)) continue
    if (there !== text) return `${path} is otherwise than the manifest has it`
    const facts = host.facts(host.realPath(path) ?? path)
    if (startParts.has(name) && facts && !wasThere(facts.changed, found.status.since)) {
      return `${path} changed on disk after the service was started`
    }
  }
  return undefined
}

/** Read at the start; all others are read when needed. */
const startParts: ReadonlySet<string> = new Set(['run', 'log/run', 'notification-fd'])

const singleParts = ['run', 'finish', 'check', 'notification-fd', 'log/run']

/** Existing or declared scripts and settings. */
function listParts(texts: ReadonlyMap<string, string>, { directory }: Place, host: ReadHost): string[] {
  const there = (host.readDirectory(join(directory, 'control')) ?? []).map(name => `control/${name}`)
  const declared = [...texts.keys()].filter(name => name.startsWith('control/'))
  return [...new Set([...singleParts, ...there, ...declared])]
}

/** Not declared, or a script of Reeve's where the stranger has none. */
function isReeves(text: string | undefined): boolean {
  return text === undefined || text.startsWith('#!/bin/sh\n# Made by Reeve')
}

/**
 * Records for an adopted process what a run script of Reeve would have recorded: its identity, and the files it has read.
 * Before everything else is written: afterwards the age of files tells nothing any more.
 */
export function keepRun(family: Family, place: Place, definition: Definition, host: WriteHost): void {
  const { marker, records, directory } = place
  if (host.facts(marker) || isElsewhere(findLinked(place, host), place, host)) return
  if (readLoaded(place, host)?.definition === definition.digest) return
  if (findStale(family, place, definition, host) !== undefined) return
  const found = readSupervision(family, place, host)
  const process = found.state === 'alive' && found.pid !== undefined ? host.process(found.pid) : undefined
  if (found.state !== 'alive' || !process) return
  const parts = definition.files.map(({ path, content }) => ({ path: relative(directory, path), sum: sha256(content) }))
  const read = parts.filter(({ path }) => !unread.has(path))
  const sums = formatSums([...read, ...readOlder(definition, place, found.status.since, host)])
  host.makeDirectory(records, { mode: 0o755 })
  host.writeFile(join(records, 'loaded'), sums, { mode: 0o600 })
  host.writeFile(join(records, 'claim'), formatClaim(process, host.bootId()), { mode: 0o600 })
  host.writeFile(join(records, 'launched'), formatLaunched(process), { mode: 0o600 })
}

/** Files of a definition that its digest leaves out. */
const unread: ReadonlySet<string> = new Set(['reeve/files', 'reeve.json'])

/** Configuration files that are unchanged since the start. */
function readOlder({ files }: Definition, { records }: Place, since: number, host: ReadHost): Sum[] {
  const listed = files.find(({ path }) => path === join(records, 'files'))?.content ?? ''
  return listed.split('\n').flatMap(path => {
    if (path === '') return []
    const content = host.readFile(path)
    const changed = host.facts(path)?.changed
    return content && changed !== undefined && wasThere(changed, since) ? [{ path, sum: sha256(content) }] : []
  })
}
