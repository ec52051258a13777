import { createHash } from 'node:crypto'
import type { Definition } from '../../src/core/model/definition.ts'
import type { Facility, Health, OnChange } from '../../src/core/model/facility.ts'
import type { ResolvedFacility, ResolvedFile } from '../../src/core/model/resolved-facility.ts'
import { meetingPointsOf } from '../../src/core/plan/meeting-point.ts'
import type { Ownership } from '../../src/core/state/observed.ts'
import { locationKey } from '../../src/core/state/snapshot.ts'
import { plainProcess } from '../tools/plain-facility.ts'

/** Owner of the tests' Reeve. */
export const OWNER = 'default'

/** Content of a manifest, as short as a test wants it. */
export interface Declaration {
  readonly name: string
  readonly renamedFrom?: string
  readonly supervisor?: string
  readonly service?: string
  readonly state?: Facility['state']
  readonly enabled?: Facility['enabled']
  /** Absent: `DAEMON`; null: an existing service. */
  readonly command?: readonly string[] | null
  readonly restart?: 'always' | 'on-failure' | 'never'
  /** True: it has a reload signal. */
  readonly reload?: boolean
  /** True: it is declared by native configuration alone. */
  readonly native?: boolean
  readonly files?: readonly DeclaredFile[]
  readonly onChange?: OnChange
  readonly dependsOn?: readonly string[]
  readonly health?: Health
  /** Port where it listens, and where its health check asks. */
  readonly port?: number
  readonly directory?: string
  /** A service that is stopped when this one starts, and vice versa. Of the same supervisor. */
  readonly conflicts?: string
  readonly adopt?: boolean
  readonly readyAfter?: number
  readonly prune?: boolean
  readonly suspend?: boolean
  readonly problems?: readonly string[]
}

export interface DeclaredFile {
  readonly path: string
  readonly content: string
  readonly mode?: number
  readonly uid?: number
  readonly onChange?: OnChange
}

/** Programs of the simulated host: one runs, one is a job that ends, one fails at once, … */
export const DAEMON: readonly string[] = ['/bin/daemon']
export const JOB: readonly string[] = ['/bin/job']
export const BROKEN: readonly string[] = ['/bin/broken']
/** … one exits some moments after each start, one runs without answering, one writes its files back as it ends. */
export const BRITTLE: readonly string[] = ['/bin/brittle']
export const HUNG: readonly string[] = ['/bin/hung']
export const SCRIBE: readonly string[] = ['/bin/scribe']

export type Program = 'daemon' | 'job' | 'broken' | 'brittle' | 'hung' | 'scribe'

export function isProgram(command: readonly string[] | null | undefined, program: Program): boolean {
  return command?.[0] === `/bin/${program}`
}

export function makeFacility(declaration: Declaration): Facility {
  const { name, command = DAEMON, native = false, restart = 'always', reload = false, port, directory } = declaration
  const health = declaration.health ?? (port === undefined ? undefined : portCheck(port))
  const process = {
    ...plainProcess,
    command: command ?? [],
    restart: { policy: restart, delay: 1_000 },
    ...(directory === undefined ? {} : { workingDirectory: directory }),
    ...(reload ? { reload: { signal: 'HUP' } } : {}),
  }
  return {
    name,
    ...(declaration.renamedFrom === undefined ? {} : { renamedFrom: declaration.renamedFrom }),
    labels: {},
    supervisor: declaration.supervisor ?? 'alpha',
    service: declaration.service ?? name,
    state: declaration.state ?? 'running',
    enabled: declaration.enabled ?? true,
    ...(command === null || native ? {} : { process }),
    ...(native ? { config: { command } } : {}),
    files: (declaration.files ?? []).map(({ path, content, mode = 0o644, onChange = 'restart' }) => ({
      path,
      content: bytesOf(content),
      mode,
      onChange,
    })),
    onChange: declaration.onChange ?? 'restart',
    dependsOn: declaration.dependsOn ?? [],
    ...(health ? { health } : {}),
    adopt: declaration.adopt ?? false,
    readyAfter: declaration.readyAfter ?? 500,
    prune: declaration.prune ?? true,
    suspend: declaration.suspend ?? false,
    position: { file: `${name}.yaml`, line: 1, column: 1 },
    digest: sha256(JSON.stringify(declaration)),
  }
}

export function resolveFacility(declaration: Declaration): ResolvedFacility {
  const facility = makeFacility(declaration)
  const { command = DAEMON, problems = [] } = declaration
  const files = (declaration.files ?? []).map(
    ({ path, content, mode = 0o644, uid = 0, onChange = 'restart' }): ResolvedFile => ({
      path,
      content: bytesOf(content),
      digest: sha256(content),
      mode,
      uid,
      gid: 0,
      onChange,
    }),
  )
  const definition =
    command === null || problems.length > 0 ? undefined : renderDefinition(facility, command, declaration.conflicts)
  if (!definition) return { facility, files, problems }
  return { facility, files, problems, definition, imprint: sha256(JSON.stringify(definition.files)) }
}

function portCheck(port: number): Health {
  const times = { interval: 1_000, timeout: 1_000, failureThreshold: 3, startupTimeout: 60_000 }
  return { check: { type: 'tcp', host: '127.0.0.1', port }, ...times, onFailure: 'report' }
}

export function markerOf(facility: Facility): Ownership {
  return {
    owner: OWNER,
    facility: facility.name,
    files: facility.files.map(file => file.path).sort(),
    dependsOn: [...facility.dependsOn].sort(),
    prune: facility.prune,
    meets: meetingPointsOf(facility, sha256),
  }
}

/** Content of the definition of a simulated service. */
export interface SimulatedDefinition {
  readonly reeve?: Ownership
  readonly process: {
    readonly command: readonly string[]
    readonly restart: string
    readonly reload: boolean
    readonly port?: number
    readonly directory?: string
    /** A location, as `locationKey`. */
    readonly conflicts?: string
  }
}

function renderDefinition(facility: Facility, command: readonly string[], conflicts: string | undefined): Definition {
  const restart = facility.process?.restart.policy ?? 'always'
  const { check } = facility.health ?? {}
  const process = {
    command,
    restart,
    reload: facility.process?.reload !== undefined,
    ...(check?.type === 'tcp' ? { port: check.port } : {}),
    ...(facility.process?.workingDirectory === undefined ? {} : { directory: facility.process.workingDirectory }),
    ...(conflicts === undefined ? {} : { conflicts: locationKey({ ...facility, service: conflicts }) }),
  }
  const path = definitionPath(facility.supervisor, facility.service)
  const content = definitionText({ reeve: markerOf(facility), process })
  return { files: [{ path, content, mode: 0o644 }], digest: definitionDigest({ process }) }
}

export function definitionPath(supervisor: string, service: string): string {
  return `/definitions/${supervisor}/${service}.json`
}

export function definitionText(definition: SimulatedDefinition): string {
  return `${JSON.stringify(definition, undefined, 2)}\n`
}

/** Digest without the marker. */
export function definitionDigest(definition: Pick<SimulatedDefinition, 'process'>): string {
  return sha256(JSON.stringify(definition.process))
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}
