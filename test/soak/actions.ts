import { chmodSync, existsSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { processProvider } from '../../providers/process/index.ts'
import { definitionPath, layoutOf } from '../../providers/process/shared/layout.ts'
import { isAlive } from '../../src/conformance/lab.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { type Found, takeCensus } from '../random-actions/census.ts'
import type { Choose } from '../random-actions/chooser.ts'
import { type Declarations, type Declared, isNeeded } from '../random-actions/declarations.ts'
import { takePort } from '../random-actions/port-stranger.ts'
import { openApplier } from '../tools/opened-provider.ts'
import type { SoakHost } from './soak-host.ts'

/** Gives what ends it, where it isn't over at once; nothing at all if there was nothing to do it to. */
export type Noise = (stage: Stage) => Promise<Made> | Made
export type Made = Undo | 'done' | 'nothing'
export type Undo = () => Promise<unknown> | unknown

export interface Stage {
  readonly host: SoakHost
  readonly declarations: Declarations
  readonly choose: Choose
}

/** In ms: of steps of the wall clock, to and fro. */
const CLOCK_STEP = 3_600_000

/** What people, machines and chance do to a host, by name. */
export const noises: Readonly<Record<string, Noise>> = {
  'manifest edited'(stage) {
    const declared = pickFrom(stage)
    if (!declared) return 'nothing'
    declared.mark = stage.declarations.nextMark()
    stage.declarations.write(declared)
    return 'done'
  },
  'file edited in the manifest'(stage) {
    const declared = pickFrom(stage, ({ file }) => file !== undefined)
    if (!declared?.file) return 'nothing'
    declared.file.content = `edited ${stage.declarations.nextMark()}\n`
    stage.declarations.write(declared)
    return 'done'
  },
  'file edited that its program writes as it ends'(stage) {
    const declared = pickFrom(stage, isServer)
    if (!declared?.file) return 'nothing'
    declared.file.content = `edited ${stage.declarations.nextMark()}\n`
    stage.declarations.write(declared)
    return 'done'
  },
  'crash loop for a while'(stage) {
    const { declarations } = stage
    const declared = pickFrom(stage, one => !one.isBroken && !isNeeded(one, declarations.all))
    if (!declared) return 'nothing'
    const put = (isBroken: boolean): void => {
      declared.isBroken = isBroken
      declared.mark = declarations.nextMark()
      declarations.write(declared)
    }
    put(true)
    return () => put(false)
  },
  'service hangs'(stage) {
    const declared = pickFrom(stage, isServer)
    const process = declared && findProcess(declared, stage)
    // It is told to end, and to go on: its supervisor does so when Reeve restarts it.
    return process ? signal(process.pid, 'SIGSTOP') : 'nothing'
  },
  async 'port held by another for a while'(stage) {
    const declared = pickFrom(stage, isServer)
    const process = declared && findProcess(declared, stage)
    if (declared?.port === undefined || !process) return 'nothing'
    signal(process.pid, 'SIGKILL')
    const stranger = await takePort(declared.port)
    return stranger ? () => stranger.close() : 'nothing'
  },
  'declared stopped or running': stage => toggle(stage, 'isRunning'),
  'declared enabled or disabled': stage => toggle(stage, 'isEnabled'),
  'manifest gone for a while': stage => toggle(stage, 'isPresent'),
  'manifest invalid for a while'(stage) {
    const declared = pickFrom(stage)
    if (!declared) return 'nothing'
    const text = stage.declarations.textOf(declared)
    stage.declarations.overwrite(declared, text.slice(0, stage.choose(text.length)))
    return () => (declared.isPresent ? stage.declarations.write(declared) : undefined)
  },
  'service killed'(stage) {
    const found = takeCensus(stage.host.marker)
    const victim = found[stage.choose(found.length)]
    return victim ? signal(victim.pid, 'SIGKILL') : 'nothing'
  },
  async 'service stopped behind its back'(stage) {
    const declared = pickFrom(stage)
    if (!declared) return 'nothing'
    const { supervisorDirectory } = stage.host
    const instance = {
      name: 'process',
      type: 'process',
      options: { directory: supervisorDirectory },
      stateDirectory: '',
      owner: '',
    }
    const action = { id: 'stop', verb: 'stop', service: declared.name, signal: AbortSignal.timeout(5_000) } as const
    // Whether it works is none of a meddler's business: the supervisor may just have been killed.
    using applier = openApplier(processProvider, instance)
    await applier.apply([action], () => {})
    return 'done'
  },
  'managed file overwritten, deleted or opened up'(stage) {
    const declared = pickFrom(stage, ({ file }) => file !== undefined && existsSync(file.path))
    if (!declared?.file) return 'nothing'
    const { path } = declared.file
    const storyActions = [() => writeFileSync(path, 'meddled\n'), () => unlinkSync(path), () => chmodSync(path, 0o666)]
    storyActions[stage.choose(storyActions.length)]?.()
    return 'done'
  },
  'definition edited or deleted'(stage) {
    const pathOf = ({ name }: Declared): string => definitionPath(layoutOf(stage.host.supervisorDirectory), name)
    const declared = pickFrom(stage, one => existsSync(pathOf(one)))
    if (!declared) return 'nothing'
    const path = pathOf(declared)
    if (stage.choose(2) === 0) unlinkSync(path)
    else overwriteIfRoom(path, readFileSync(path, 'utf8').replace('"always"', '"never"'))
    return 'done'
  },
  async 'suspended for a while'(stage) {
    const declared = pickFrom(stage)
    if (!declared) return 'nothing'
    await stage.host.control().then(control => control.suspend(declared.name))
    return async () => {
      const control = await stage.host.control()
      await control.resume(declared.name).catch(passOverGone)
    }
  },
  'wall clock stepped'(stage) {
    stage.host.stepClock((stage.choose(3) - 1) * CLOCK_STEP)
    return 'done'
  },
  'supervisor hangs for a while'(stage) {
    const pid = stage.host.supervisorPid()
    if (pid === undefined) return 'nothing'
    signal(pid, 'SIGSTOP')
    return () => signal(pid, 'SIGCONT')
  },
}

/** Suspended twice and resumed once, it may have been removed since. */
function passOverGone(error: unknown): void {
  if (error instanceof ReeveError && error.code === 'not-found') return
  throw error
}

/** Only where the state directory has a file system of its own. */
export const diskNoises: Readonly<Record<string, Noise>> = {
  'disk full for a while'({ host }) {
    const filler = join(host.state, 'filler')
    const block = new Uint8Array(65_536)
    for (let left = 1_000; left > 0 && overwriteIfRoom(filler, block, 'a'); left -= 1);
    return () => rmSync(filler, { force: true })
  },
}

/** What takes a process away whose memory would tell of leaks. */
export const killNoises: Readonly<Record<string, Noise>> = {
  async 'controller killed'({ host }): Promise<Made> {
    await host.killController()
    host.startController()
    return 'done'
  },
  'supervisor killed'({ host }) {
    const pid = host.supervisorPid()
    return pid === undefined ? 'nothing' : signal(pid, 'SIGKILL')
  },
}

function pickFrom(stage: Stage, suits: (declared: Declared) => boolean = () => true): Declared | undefined {
  const list = stage.declarations.all.filter(declared => declared.isPresent && suits(declared))
  return list[stage.choose(list.length)]
}

function isServer({ port, isBroken, isRunning }: Declared): boolean {
  return port !== undefined && !isBroken && isRunning
}

function findProcess({ name }: Declared, { host }: Stage): Found | undefined {
  return takeCensus(host.marker).find(found => found.name === name)
}

function toggle(stage: Stage, field: 'isRunning' | 'isEnabled' | 'isPresent'): Undo | 'nothing' {
  const { declarations } = stage
  const declared = pickFrom(stage, one => one[field] && (field === 'isEnabled' || !isNeeded(one, declarations.all)))
  if (!declared) return 'nothing'
  const put = (value: boolean): void => {
    declared[field] = value
    declarations.write(declared)
  }
  put(false)
  return () => put(true)
}

function signal(pid: number, name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): 'done' | 'nothing' {
  if (!isAlive(pid)) return 'nothing'
  process.kill(pid, name)
  return 'done'
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
