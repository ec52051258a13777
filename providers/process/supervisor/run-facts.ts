import { basename } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { tryTo } from '../../../src/core/try-to.ts'
import { isAlive, isLiving, type ProcessIdentity } from '../../../src/host/process-identity.ts'
import { type Layout, runOfFile, runPath } from '../shared/layout.ts'

/** Knowledge of a run besides its files: from the process table, or remembered. */
export interface KnownRun {
  readonly shim?: ProcessIdentity
  readonly main?: ProcessIdentity
}

/** State of a run by its files and /proc. Valid within the boot of the run only. */
export type RunFacts =
  /** No shim has claimed it yet. */
  | { readonly state: 'unclaimed' }
  /** Its shim is alive, but the service's process isn't: not yet, or not any more and not recorded yet. */
  | { readonly state: 'between' }
  /** `guarded`: its shim is alive, and will record how it ends. */
  | { readonly state: 'alive'; readonly main: ProcessIdentity; readonly guarded: boolean }
  | { readonly state: 'ended'; readonly main: ProcessIdentity | undefined; readonly exit: ExitFacts | undefined }

/** Exit recorded by the shim. */
export interface ExitFacts {
  readonly status: number
  /** Clock ticks since boot, as the start times in /proc. */
  readonly ticks: number
  /** Whether members of its process group were left. */
  readonly left: boolean
}

/** Per second, in /proc: the same on every architecture that Node runs on. */
const ticksPerSecond = 100

/** If a file couldn't be written, or isn't yet, the process table shows what it would contain. */
export function readRun(host: ReadHost, layout: Layout, service: string, run: number, known: KnownRun = {}): RunFacts {
  const before = readExitFacts(host, layout, service, run)
  const written = parseIdentity(host.readText(runPath(layout, service, run, 'pid'))) ?? known.main
  if (before) return { state: 'ended', main: written, exit: before }
  const claim = host.readText(runPath(layout, service, run, 'shim'))
  if (claim === undefined && known.shim === undefined) return { state: 'unclaimed' }
  const shim = parseIdentity(claim) ?? known.shim
  const shimLives = shim !== undefined && isAlive(shim, host)
  const main = written ?? (shimLives ? findChild(host, shim.pid) : undefined)
  if (main && isAlive(main, host)) {
    // While its shim is alive, the process is its child, or else not that of this run.
    const isOurs = !shimLives || host.process(main.pid)?.parent === shim.pid
    if (isOurs) return { state: 'alive', main, guarded: shimLives }
  }
  // A shim that is still writing its first line, or its half that has yet to become the service.
  if (!main && !shimLives && findShim(host, layout, service, run) !== undefined) return { state: 'between' }
  if (shimLives) return { state: 'between' }
  // The shim may have written it, and ended, during this read.
  return { state: 'ended', main, exit: readExitFacts(host, layout, service, run) }
}

/** A shim has no child but the service. */
function findChild(host: ReadHost, shim: number): ProcessIdentity | undefined {
  const listed = host.readText(`/proc/${shim}/task/${shim}/children`)?.trim().split(' ').filter(Boolean).map(Number)
  // Not every kernel lists them.
  for (const pid of listed ?? host.processes()) {
    const facts = host.process(pid)
    if (isLiving(facts) && facts.parent === shim) return { pid, startTime: facts.startTime }
  }
  return undefined
}

/**
 * Process whose command line is the script of the run. Only this user's processes count, as others can have any command
 * line.
 */
export function findShim(host: ReadHost, layout: Layout, service: string, run: number): number | undefined {
  const script = runPath(layout, service, run, 'sh')
  return host.processes().find(pid => scriptOf(readCommandLine(host, pid)) === script && isOwn(host, pid))
}

export interface LivingShim {
  readonly run: number
  readonly shim: ProcessIdentity
}

/** Shim of the newest run of each service that has one, by the process table alone. */
export function listShims(host: ReadHost, layout: Layout): ReadonlyMap<string, LivingShim> {
  const found = new Map<string, LivingShim>()
  for (const pid of host.processes()) {
    const script = scriptOf(readCommandLine(host, pid))
    if (!script?.startsWith(`${layout.runs}/`) || !isOwn(host, pid)) continue
    const { service, run } = runOfFile(basename(script)) ?? {}
    const facts = host.process(pid)
    // Its half that has yet to become the service has the same command line.
    if (
      service === undefined ||
      run === undefined ||
      !facts ||
      scriptOf(readCommandLine(host, facts.parent)) === script
    )
      continue
    if (run > (found.get(service)?.run ?? 0)) found.set(service, { run, shim: { pid, startTime: facts.startTime } })
  }
  return found
}

/** Path of a shim's script; if that couldn't be written, it is only the script's name. */
export function scriptOf([_shell, first, _text, name]: readonly string[] = []): string | undefined {
  return first === '-c' ? name : first
}

export function isOwn(host: ReadHost, pid: number): boolean {
  return host.facts(`/proc/${pid}`)?.uid === host.userId()
}

/** Command line; undefined if there is no such process or it is unreadable. A zombie's is empty. */
export function readCommandLine(host: ReadHost, pid: number): readonly string[] | undefined {
  return tryTo(() => host.readText(`/proc/${pid}/cmdline`)?.replace(/\0$/, '').split('\0'))
}

/** Time since boot, in clock ticks. */
export function readTicks(host: ReadHost): number {
  const [uptime = '0'] = host.readText('/proc/uptime')?.split(' ') ?? []
  return Math.floor(Number(uptime) * ticksPerSecond)
}

/** Parses a complete line of /proc/PID/stat; without its newline it is still being written. */
export function parseIdentity(text: string | undefined): ProcessIdentity | undefined {
  if (!text?.endsWith('\n')) return undefined
  const pid = Number.parseInt(text, 10)
  // Field 22, counted from after the name, which may contain anything.
  const startTime = text.slice(text.lastIndexOf(')') + 2).split(' ')[22 - 3]
  return pid > 1 && startTime !== undefined && /^\d+$/.test(startTime) ? { pid, startTime } : undefined
}

function readExitFacts(host: ReadHost, layout: Layout, service: string, run: number): ExitFacts | undefined {
  const [, status, uptime, left] =
    /^(\d+) (\d+(?:\.\d+)?) (left|none)\n$/.exec(host.readText(runPath(layout, service, run, 'exit')) ?? '') ?? []
  if (status === undefined || uptime === undefined) return undefined
  // The next tick: a member born in the same one counts as born before.
  return { status: Number(status), ticks: Math.floor(Number(uptime) * ticksPerSecond) + 1, left: left === 'left' }
}
