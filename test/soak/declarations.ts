import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What one facility of the soak is declared to be now. */
export interface Declared {
  readonly name: string
  /** False: its manifest is gone for now. */
  isPresent: boolean
  isRunning: boolean
  isEnabled: boolean
  /** The argument of its program, never used twice: it tells processes of one revision from those of another. */
  mark: number
  readonly file: { readonly path: string; content: string; readonly onChange: string } | undefined
  readonly dependsOn: readonly string[]
  readonly hasHealth: boolean
}

export interface Declarations {
  readonly all: readonly Declared[]
  /** Another mark: one that no process has. */
  nextMark(): number
  /** Writes its manifest as it is now, in one step; deletes it if it isn't present. */
  write(declared: Declared): void
  /** Puts this text in the place of its manifest, as editors and broken scripts do: not in one step. */
  overwrite(declared: Declared, text: string): void
  textOf(declared: Declared): string
}

export interface Places {
  readonly manifests: string
  readonly files: string
  /** In the environment of every service, so that its processes are found. */
  readonly marker: string
}

/** One in so many has a file, a health check, a dependency; all run at first. */
const FILE = 3
const HEALTH = 10
const DEPENDENT = 7

export function createDeclarations(count: number, { manifests, files, marker }: Places): Declarations {
  let mark = 1_000_000
  const nextMark = (): number => {
    mark += 1
    return mark
  }
  const all = Array.from({ length: count }, (_, index): Declared => {
    const name = `f${String(index).padStart(3, '0')}`
    const onChange = index % 2 === 0 ? 'restart' : 'reload'
    return {
      name,
      isPresent: true,
      isRunning: true,
      isEnabled: true,
      mark: nextMark(),
      file: index % FILE === 0 ? { path: join(files, name), content: 'first\n', onChange } : undefined,
      // On one that nobody stops: see `isNeeded`.
      dependsOn: index % DEPENDENT === 1 ? [`f${String(index - 1).padStart(3, '0')}`] : [],
      hasHealth: index % HEALTH === 0,
    }
  })

  function textOf({ name, isRunning, isEnabled, mark: own, file, dependsOn, hasHealth }: Declared): string {
    const process = {
      command: ['/bin/sleep', String(own)],
      environment: { REEVE_SOAK: marker, REEVE_SOAK_NAME: name },
      restart: { delay: '100ms' },
      reload: { command: ['/bin/true'] },
    }
    const health = hasHealth ? { health: { exec: { command: ['/bin/true'] }, interval: '1s' } } : {}
    const spec = {
      state: isRunning ? 'running' : 'stopped',
      enabled: isEnabled,
      process,
      ...(file ? { files: [file] } : {}),
      dependsOn,
      ...health,
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

/** True if others depend on it: it then has to be there, and to run. */
export function isNeeded({ name }: Declared, all: readonly Declared[]): boolean {
  return all.some(({ dependsOn }) => dependsOn.includes(name))
}
