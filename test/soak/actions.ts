import { existsSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { processProvider } from '../../providers/process/index.ts'
import { definitionPath, layoutOf } from '../../providers/process/shared/layout.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { takeCensus } from '../random-actions/census.ts'
import type { Choose } from '../random-actions/chooser.ts'
import { type Declarations, type Declared, isNeeded } from '../random-actions/declarations.ts'
import {
  crash,
  damageFile,
  editFile,
  findProcess,
  isServer,
  signal,
  usurpPort,
} from '../random-actions/facility-changes.ts'
import type { RandomAction, RandomActions } from '../random-actions/run.ts'
import { openApplier } from '../tools/opened-provider.ts'
import type { SoakHost } from './soak-host.ts'

export interface SoakWorld {
  readonly host: SoakHost
  readonly declarations: Declarations
}

/** In ms: steps of the wall clock, back and forth. */
const CLOCK_STEP = 3_600_000

/** Actions of people, machines and chance on a host, by name. */
export const hostActions: RandomActions<SoakWorld> = {
  'manifest edited': redeclare((declared, { nextMark }) => {
    declared.mark = nextMark()
  }),
  'file edited in the manifest': redeclare(editFile, ({ file }) => file !== undefined),
  'file edited that its program writes as it ends': redeclare(editFile, isServer),
  'crash loop for a while': toOne(
    (declared, { declarations }) => crash(declared, declarations, () => declarations.write(declared)),
    (one, { declarations }) => !one.isBroken && !isNeeded(one, declarations.all),
  ),
  // SIGTERM, then SIGCONT: its supervisor sends them when Reeve restarts it.
  'service hangs': toOne((declared, { host }) => signal(findProcess(declared, host), 'SIGSTOP'), isServer),
  'port held by another for a while': toOne((declared, { host }) => {
    const pid = findProcess(declared, host)
    return pid === undefined ? 'nothing' : usurpPort(declared, pid)
  }, isServer),
  'declared stopped or running': toggle('isRunning'),
  'declared enabled or disabled': toggle('isEnabled'),
  'manifest removed for a while': toggle('isPresent'),
  'manifest invalid for a while': toOne((declared, { declarations }, choose) => {
    const text = declarations.textOf(declared)
    declarations.overwrite(declared, text.slice(0, choose(text.length)))
    return () => (declared.isPresent ? declarations.write(declared) : undefined)
  }),
  'service killed'({ host }, choose) {
    const found = takeCensus(host.marker)
    return signal(found[choose(found.length)]?.pid, 'SIGKILL')
  },
  'service stopped by somebody else': toOne(async ({ name }, { host }) => {
    const options = { directory: host.supervisorDirectory }
    const instance = { name: 'process', type: 'process', options, stateDirectory: '', owner: '' }
    const action = { id: 'stop', verb: 'stop', service: name, signal: AbortSignal.timeout(5_000) } as const
    // Whether it succeeds doesn't matter: the supervisor may just have been killed.
    using applier = openApplier(processProvider, instance)
    await applier.apply([action], () => {})
  }),
  'managed file overwritten, deleted or made writable by all': toOne(
    (declared, _world, choose) => damageFile(declared, choose),
    ({ file }) => file !== undefined && existsSync(file.path),
  ),
  'definition edited or deleted': toOne(
    (declared, { host }, choose) => {
      const path = pathOf(declared, host)
      if (choose(2) === 0) unlinkSync(path)
      else overwriteIfRoom(path, readFileSync(path, 'utf8').replace('"always"', '"never"'))
    },
    (declared, { host }) => existsSync(pathOf(declared, host)),
  ),
  'suspended for a while': toOne(async ({ name }, { host }) => {
    await host.control().then(control => control.suspend(name))
    return () => host.control().then(control => control.resume(name).catch(passOverGone))
  }),
  'wall clock stepped': ({ host }, choose) => host.stepClock((choose(3) - 1) * CLOCK_STEP),
  'supervisor hangs for a while'({ host }) {
    const pid = host.supervisorPid()
    return signal(pid, 'SIGSTOP') === 'nothing' ? 'nothing' : () => signal(pid, 'SIGCONT')
  },
}

/** Suspended twice and resumed once, it may have been removed since. */
function passOverGone(error: unknown): void {
  if (error instanceof ReeveError && error.code === 'not-found') return
  throw error
}

/** Only if the state directory has a file system of its own. */
export const diskActions: RandomActions<SoakWorld> = {
  'disk full for a while'({ host }) {
    const filler = join(host.state, 'filler')
    const block = new Uint8Array(65_536)
    for (let left = 1_000; left > 0 && overwriteIfRoom(filler, block, 'a'); left -= 1);
    return () => rmSync(filler, { force: true })
  },
}

/** Actions that kill a process whose memory would show leaks. */
export const killActions: RandomActions<SoakWorld> = {
  async 'controller killed'({ host }) {
    await host.killController()
    host.startController()
  },
  'supervisor killed': ({ host }) => signal(host.supervisorPid(), 'SIGKILL'),
}

type Change = (declared: Declared, world: SoakWorld, choose: Choose) => unknown

/** Of those that are there and that it suits. */
function toOne(
  change: Change,
  suits: (declared: Declared, world: SoakWorld) => boolean = () => true,
): RandomAction<SoakWorld> {
  return (world, choose) => {
    const list = world.declarations.all.filter(declared => declared.isPresent && suits(declared, world))
    const declared = list[choose(list.length)]
    return declared ? change(declared, world, choose) : 'nothing'
  }
}

function redeclare(
  change: (declared: Declared, declarations: Declarations) => void,
  suits?: (declared: Declared) => boolean,
): RandomAction<SoakWorld> {
  return toOne((declared, { declarations }) => {
    change(declared, declarations)
    declarations.write(declared)
  }, suits)
}

function toggle(field: 'isRunning' | 'isEnabled' | 'isPresent'): RandomAction<SoakWorld> {
  return toOne(
    (declared, { declarations }) => {
      const put = (value: boolean): void => {
        declared[field] = value
        declarations.write(declared)
      }
      put(false)
      return () => put(true)
    },
    (one, { declarations }) => one[field] && (field === 'isEnabled' || !isNeeded(one, declarations.all)),
  )
}

function pathOf({ name }: Declared, { supervisorDirectory }: SoakHost): string {
  return definitionPath(layoutOf(supervisorDirectory), name)
}

/** False if the disk was full. */
function overwriteIfRoom(path: string, content: string | Uint8Array, flag: 'w' | 'a' = 'w'): boolean {
  try {
    writeFileSync(path, content, { flag })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false
    throw error
  }
}
