import { isAbsolute, join, normalize } from 'node:path'
import type { Instance } from '../../src/core/model/facility.ts'
import type { Family } from './family.ts'

/** Where an instance has its services. */
export interface Layout {
  /** What the scanner looks at: links to definitions. */
  readonly services: string
  /** A directory for each definition. */
  readonly definitions: string
  /** Whose it is declared to be: the name of a user. Undefined: whoever runs Reeve. */
  readonly owner: string | undefined
}

/** Where the things of one service are. */
export interface Place {
  readonly service: string
  /** Its definition. */
  readonly directory: string
  /** The link to it in the scanner's directory. */
  readonly link: string
  /** Reeve's marker, in the definition. */
  readonly marker: string
  /** The marker while the definition is being removed: it is all that is left at last. */
  readonly lastMarker: string
  /** The definition while it is moved into a new directory; see renewal.ts. */
  readonly former: string
  /** The service isn't started when its supervisor starts. */
  readonly down: string
  /** What the scripts and Reeve write down of runs. */
  readonly records: string
  /** What the supervisor of the service keeps. */
  readonly supervise: string
  /** The same of its log's. */
  readonly logSupervise: string
}

export function layoutOf(instance: Instance, family: Family): Layout {
  const { serviceDirectory, definitionDirectory, owner } = instance.options
  return {
    services: pathOf(serviceDirectory, family.serviceDirectory),
    definitions: pathOf(definitionDirectory, family.definitionDirectory),
    owner: typeof owner === 'string' ? owner : undefined,
  }
}

/** `directory`: where the link leads, if that is elsewhere. */
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

/** The service of which something is left under that hidden name in the directory of definitions. */
export function serviceOfLeftover(name: string): string | undefined {
  return /^\.(.+)\.(?:reeve\.json|reeve-former)$/.exec(name)?.[1]
}

function pathOf(option: unknown, otherwise: string): string {
  if (typeof option !== 'string' || !isAbsolute(option)) return otherwise
  return normalize(option).replace(/(.)\/+$/, '$1')
}
