import { basename, dirname } from 'node:path'
import type { Action } from '../../../src/core/contracts/provider.ts'
import type { Definition } from '../../../src/core/model/definition.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { listParts, unitsAmong } from '../observe/managed-units.ts'
import { startersOf } from '../units/activation-trigger.ts'
import { unitOf } from '../units/unit-name.ts'
import { linksOf, readUnitSearchPath, type UnitSearchPath } from '../units/unit-search-path.ts'
import type { Application } from './batch.ts'
import { removeParts } from './unit-removal.ts'

/** An installation, and the parts of an older definition that it removes. */
export interface UnitReplacement {
  readonly action: Action
  readonly definition: Definition
  /** Files that the new one no longer has. */
  readonly surplus: readonly string[]
  /** Its units that start the service, and are to be stopped. */
  readonly triggers: readonly string[]
  /** Links by which it was enabled, and which the new `[Install]` doesn't ask for. */
  readonly links: readonly string[]
}

export function findUnitReplacement(action: Action, before: UnitSearchPath, application: Application): UnitReplacement {
  const { layout, host } = application
  const { definition, service } = action
  if (!definition) throw new ReeveError('internal', 'expected a definition to install')
  const declared = new Set(definition.files.map(({ path }) => path))
  const surplus = listParts(service, before, layout, host).filter(path => !declared.has(path))
  const unit = unitOf(service)
  const units = unitsAmong(surplus, layout)
  return {
    action,
    definition,
    surplus,
    triggers: units.filter(name => name !== unit),
    links: findObsolete(startersOf(service, before), before, askedLinks(unit, definition, units, application)),
  }
}

function findObsolete(
  starters: readonly string[],
  before: UnitSearchPath,
  asked: readonly string[] | undefined,
): string[] {
  if (!asked) return []
  const there = starters.flatMap(name => before.links(name))
  return there.filter(path => !asked.some(link => path.endsWith(`/${link}`)))
}

/** Links that the new definition asks for; undefined: unchanged, as the unit itself is. */
function askedLinks(
  unit: string,
  { files, isAddition }: Definition,
  going: readonly string[],
  application: Application,
): readonly string[] | undefined {
  if (isAddition) return going.includes(unit) ? linksBeneath(unit, application) : undefined
  const units = files.filter(({ path }) => dirname(path) === application.layout.unitDirectory)
  return units.flatMap(({ path, content }) => linksOf(basename(path), content))
}

/** Links of the unit that reappears when Reeve's own is removed. */
function linksBeneath(unit: string, { host, directories, layout }: Application): string[] {
  const others = directories.filter(directory => directory !== layout.unitDirectory)
  const file = readUnitSearchPath(host, others, 1).find(unit)
  if (file.kind === 'found') return linksOf(file.unit, file.text)
  throw new ReeveError(
    'failed',
    `expected a unit ${unit} that the drop-ins are for, found only the one that Reeve wrote itself: ` +
      'install the package that brings it, or declare spec.process',
  )
}

/**
 * Removals come first, and the file with the digest is written last: after a crash the definition still differs from the
 * declared one, on the disk and for the process.
 */
export function renew({ action, definition, surplus, links }: UnitReplacement, { host, layout }: Application): void {
  for (const path of links) host.removeFile(path)
  if (surplus.length > 0) removeParts(action.service, surplus, layout, host)
  for (const { path, content, mode } of [...definition.files].reverse()) {
    host.makeDirectory(dirname(path), { mode: 0o755 })
    host.writeFile(path, content, { mode })
  }
}
