import { isAbsolute, join, normalize } from 'node:path'
import type { Instance } from '../../src/core/model/facility.ts'
import type { ScriptedFamily } from './family.ts'

/** Directories of an instance. */
export interface Layout {
  /** Scan directory: links to definitions. */
  readonly services: string
  /** Contains a directory for each definition. */
  readonly definitions: string
  /** Name of the user that the instance belongs to. Undefined: the user that runs Reeve. */
  readonly owner: string | undefined
}

/** Paths of one service. */
export interface Place {
  readonly service: string
  /** Its definition. */
  readonly directory: string
  /** Its link in the scan directory. */
  readonly link: string
  /** Reeve's marker, in the definition. */
  readonly marker: string
  /** The marker while the definition is being removed: the last file left. */
  readonly lastMarker: string
  /** The definition while it is moved into a new directory; see directory-recreation.ts. */
  readonly former: string
  /** File that keeps the service from starting with its supervisor. */
  readonly down: string
  /** Records of runs by the scripts and Reeve. */
  readonly records: string
  /** Files of the service's supervisor. */
  readonly supervise: string
  /** Files of its log's supervisor. */
  readonly logSupervise: string
}

export function layoutOf(instance: Instance, family: ScriptedFamily): Layout {
  const { serviceDirectory, definitionDirectory, owner } = instance.options
  return {
    services: pathOf(serviceDirectory, family.serviceDirectory),
    definitions: pathOf(definitionDirectory, family.definitionDirectory),
    owner: typeof owner === 'string' ? owner : undefined,
  }
}

/** `directory`: target of the link, if that is elsewhere. */
export function placeOf(layout: Layout, service: string, directory: string = join(layout.definitions, service)): Place {
  return {
    service,
    directory,
    link: join(layout.services, service),
    marker: join(directory, 'reeve.json'),
    lastMarker: join(layout.definitions, `.${service}.reeve.json`),
    former: join(layout.definitions, `.${service}.reeve-former`),
    down: join(directory, 'down'),
    records: join(directory, 'reeve'),
    supervise: join(directory, 'supervise'),
    logSupervise: join(directory, 'log/supervise'),
  }
}

/** Service of which something is left under that hidden name in the directory of definitions. */
export function serviceOfLeftover(name: string): string | undefined {
  return /^\.(.+)\.(?:reeve\.json|reeve-former)$/.exec(name)?.[1]
}

function pathOf(option: unknown, otherwise: string): string {
  if (typeof option !== 'string' || !isAbsolute(option)) return otherwise
  return normalize(option).replace(/(.)\/+$/, '$1')
}
