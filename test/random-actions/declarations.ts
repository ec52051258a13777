import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Current declaration of one facility of the soak. */
export interface Declared {
  readonly name: string
  /** False: its manifest is absent for now. */
  isPresent: boolean
  isRunning: boolean
  isEnabled: boolean
  /** Argument of its program, never used twice: it distinguishes processes of different revisions. */
  mark: number
  readonly file: { readonly path: string; content: string; readonly onChange: string } | undefined
  readonly dependsOn: readonly string[]
  readonly hasHealth: boolean
  /** It runs `fragile-server.mjs`, which listens there and is probed for its health. Absent: it sleeps. */
  readonly port?: number
  /** Its program is one that fails at once. */
  isBroken: boolean
}

export interface Declarations {
  readonly all: readonly Declared[]
  /** A new mark, which no process has. */
  nextMark(): number
  /** Writes its current manifest, in one step; deletes it if it isn't present. */
  write(declared: Declared): void
  /** Puts this text in place of its manifest, as editors and broken scripts do: not in one step. */
  overwrite(declared: Declared, text: string): void
  textOf(declared: Declared): string
}

export interface Places {
  readonly manifests: string
  /** Free ports: the last facilities are servers there. */
  readonly ports?: readonly number[]
  readonly files: string
  /** In the environment of every service, so that its processes are found. */
  readonly marker: string
}

/** One in so many has a file, a health check, a dependency; all run at first. */
const FILE = 3
const HEALTH = 10
const DEPENDENT = 7

const serverPath = join(import.meta.dirname, 'fragile-server.mjs')

export function createDeclarations(count: number, { manifests, files, marker, ports = [] }: Places): Declarations {
  let mark = 1_000_000
  const nextMark = (): number => {
    mark += 1
    return mark
  }
  const all = Array.from({ length: count }, (_, index): Declared => {
    const name = `f${String(index).padStart(3, '0')}`
    const port = ports[count - 1 - index]
    const onChange = index % 2 === 0 || port !== undefined ? 'restart' : 'reload'
    const hasFile = index % FILE === 0 || port !== undefined
    return {
      name,
      isPresent: true,
      isRunning: true,
      isEnabled: true,
      mark: nextMark(),
      file: hasFile ? { path: join(files, name), content: 'first\n', onChange } : undefined,
      // On one that is never stopped: see `isNeeded`.
      dependsOn: index % DEPENDENT === 1 ? [`f${String(index - 1).padStart(3, '0')}`] : [],
      hasHealth: index % HEALTH === 0,
      ...(port === undefined ? {} : { port }),
      isBroken: false,
    }
  })

  function textOf(declared: Declared): string {
    const { name, isRunning, isEnabled, file, dependsOn } = declared
    const process = {
      command: commandOf(declared),
      environment: { REEVE_SOAK: marker, REEVE_SOAK_NAME: name },
      restart: { delay: '100ms' },
      reload: { command: ['/bin/true'] },
    }
    const spec = {
      state: isRunning ? 'running' : 'stopped',
      enabled: isEnabled,
      process,
      ...(file ? { files: [file] } : {}),
      dependsOn,
      ...healthOf(declared),
    }
    return JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Facility', metadata: { name }, spec })
  }

  const pathOf = ({ name }: Declared): string => join(manifests, `${name}.yaml`)
  return {
    all,
    nextMark,
    textOf,
    write(declared) {
      if (!declared.isPresent) return rmSync(pathOf(declared), { force: true })
      writeFileSync(`${pathOf(declared)}.tmp`, textOf(declared))
      renameSync(`${pathOf(declared)}.tmp`, pathOf(declared))
    },
    overwrite: (declared, text) => writeFileSync(pathOf(declared), text),
  }
}

function commandOf({ port, file, mark, isBroken }: Declared): string[] {
  if (isBroken) return ['/bin/false', String(mark)]
  if (port === undefined) return ['/bin/sleep', String(mark)]
  return [process.execPath, serverPath, String(port), file?.path ?? '', String(mark)]
}

function healthOf({ port, hasHealth }: Declared): object {
  if (port === undefined) return hasHealth ? { health: { exec: { command: ['/bin/true'] }, interval: '1s' } } : {}
  const http = { url: `http://127.0.0.1:${port}/` }
  return {
    health: {
      http,
      interval: '500ms',
      timeout: '3s',
      startupTimeout: '20s',
      failureThreshold: 2,
      onFailure: 'restart',
    },
  }
}

/** True if others depend on it: it then has to exist, and to run. */
export function isNeeded({ name }: Declared, all: readonly Declared[]): boolean {
  return all.some(({ dependsOn }) => dependsOn.includes(name))
}
