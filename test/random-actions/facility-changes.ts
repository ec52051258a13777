import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { isAlive } from '../../src/conformance/lab.ts'
import { takeCensus } from './census.ts'
import type { Choose } from './chooser.ts'
import type { Declarations, Declared } from './declarations.ts'
import { takePort } from './port-stranger.ts'
import type { Made, Undo } from './run.ts'

/** Facility that is up, writes its file as it ends, and is probed for its health. */
export function isServer({ port, isBroken, isRunning }: Declared): boolean {
  return port !== undefined && !isBroken && isRunning
}

export function findProcess({ name }: Declared, { marker }: { readonly marker: string }): number | undefined {
  return takeCensus(marker).find(found => found.name === name)?.pid
}

export function signal(pid: number | undefined, name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): 'done' | 'nothing' {
  if (pid === undefined || !isAlive(pid)) return 'nothing'
  process.kill(pid, name)
  return 'done'
}

export function editFile({ file }: Declared, { nextMark }: Declarations): void {
  if (file) file.content = `edited ${nextMark()}\n`
}

/** Overwrites or deletes its file, or makes it writable by all. */
export function damageFile({ file }: Declared, choose: Choose): void {
  const path = file?.path ?? ''
  const ways = [() => writeFileSync(path, 'meddled\n'), () => rmSync(path), () => chmodSync(path, 0o666)]
  ways[choose(ways.length)]?.()
}

/** Replaces its program by one that exits at once, until the change is undone. `declare` applies the current declaration. */
export function crash(declared: Declared, { nextMark }: Declarations, declare: () => void): Undo {
  const put = (isBroken: boolean): void => {
    declared.isBroken = isBroken
    declared.mark = nextMark()
    declare()
  }
  put(true)
  return () => put(false)
}

/** Kills its process and takes its port, unless its supervisor is quicker. */
export async function usurpPort({ port = 0 }: Declared, pid: number): Promise<Made> {
  signal(pid, 'SIGKILL')
  const stranger = await takePort(port)
  return stranger ? () => stranger.close() : 'nothing'
}
