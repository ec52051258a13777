import { join } from 'node:path'
import type { ReadHost, WriteHost } from '../../../src/core/contracts/host.ts'
import { createDictionary } from '../../../src/core/dictionary.ts'
import type { Loaded } from '../../../src/core/state/observed.ts'
import { sha256 } from '../../../src/host/sha256.ts'
import type { Layout } from '../units/layout.ts'
import { isYes, mergeSections, readSections } from '../units/unit-file.ts'
import type { UnitSearchPath } from '../units/unit-search-path.ts'
import { digestOf } from './loaded-definition.ts'
import type { ManagedUnits } from './managed-units.ts'

/**
 * systemd forgets a oneshot that has ended, unless something refers to it: afterwards it can't tell whether it has run. So
 * Reeve records a success, with the files that were read: `RUNTIME/reeve-completed/UNIT`, which is gone with the boot.
 */
export interface Job {
  readonly unit: string
  readonly disk: UnitSearchPath
  readonly written: ManagedUnits | undefined
}

/** True if nothing of the unit remains after a success. */
export function isForgotten({ unit, disk }: Pick<Job, 'unit' | 'disk'>): boolean {
  const texts = disk.texts(unit)
  if (!texts.some(text => text.includes('oneshot'))) return false
  const { Service } = texts.map(readSections).reduce(mergeSections, {})
  const remains = Service?.RemainAfterExit?.at(-1) ?? 'no'
  return Service?.Type?.at(-1) === 'oneshot' && !isYes(remains)
}

/**
 * Definition and files that it reads if it is started now. For somebody else's unit, everything that its definition consists
 * of counts.
 */
export function readInputs({ unit, disk, written }: Job, host: ReadHost): Loaded {
  const files = (written?.ownership.files ?? []).map((path): [string, string] => [path, digestOf(path, host)])
  const definition = written?.definition ?? sha256(disk.texts(unit).join('\n'))
  return { definition, files: createDictionary(files) }
}

/**
 * Definition and files of its last success in this boot; undefined if there was none. Reeve's own definition may have
 * changed since, which the caller compares. Somebody else's must be the same.
 */
export function findCompletion(job: Job, { layout, host }: { layout: Layout; host: ReadHost }): Loaded | undefined {
  if (!isForgotten(job)) return undefined
  const loaded = parseLoaded(host.readText(pathOf(job.unit, layout)))
  if (!loaded || job.written?.definition !== undefined) return loaded
  return loaded.definition === readInputs(job, host).definition ? loaded : undefined
}

export function noteCompletion(unit: string, loaded: Loaded, host: WriteHost, layout: Layout): void {
  host.makeDirectory(layout.completionDirectory, { mode: 0o700 })
  // The digest of a short file reveals its content.
  host.writeFile(pathOf(unit, layout), `${JSON.stringify(loaded)}\n`, { mode: 0o600 })
}

/** Removes the record, before another run and when the service is removed. */
export function forgetCompletion(unit: string, host: WriteHost, layout: Layout): void {
  const path = pathOf(unit, layout)
  if (host.facts(path)) host.removeFile(path)
}

function pathOf(unit: string, { completionDirectory }: Layout): string {
  return join(completionDirectory, unit)
}

function parseLoaded(text: string | undefined): Loaded | undefined {
  try {
    const { definition, files }: Partial<Loaded> = JSON.parse(text ?? '')
    return typeof definition === 'string' && typeof files === 'object' ? { definition, files } : undefined
  } catch {
    return undefined // missing, or edited
  }
}
