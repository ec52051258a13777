import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { tryTo } from '../../../src/core/try-to.ts'
import { isLiving } from '../../../src/host/process-identity.ts'
import { describeBackground, markVariable } from '../../posix/background.ts'
import { runPath } from '../shared/layout.ts'
import { goodRun } from '../shared/life-cycle.ts'
import { readCommandLine, scriptOf } from './run-facts.ts'
import { type Context, type Service, setRecord } from './service.ts'

/** Most listings of processes in one search: on a busy host there are always new ones. */
const mostListings = 5

/** Time in ms after the end of a run in which a process whose environment can't be read yet is looked at again. */
const settlingTime = 1_000

export interface Strays {
  readonly pids: readonly number[]
  /** False: look again, as a process that was just executing a program may be one. */
  readonly isCertain: boolean
}

/**
 * A program that daemonizes leaves its session, and the started process exits at once, successfully, by itself. Each start
 * would leave one more copy. Processes that a foreground service has put into another session may belong there, and are left
 * alone.
 */
export function findStrays(service: Service, context: Context): Strays {
  const { record, definition } = service
  const { host, layout, log } = context
  const { exit, mark } = record
  const isDaemonLike = exit?.run === record.run && exit.code === 0 && exit.at - (record.startedAt ?? 0) < goodRun
  if (mark === undefined || !isDaemonLike) return { pids: [], isCertain: true }
  const { pids, isReadable } = findMarked(host, mark, runPath(layout, service.name, record.run, 'sh'))
  const strays = { pids, isCertain: isReadable || Math.abs(host.now() - exit.at) >= settlingTime }
  const isAsked = record.asked === true || record.want === 'down'
  if (pids.length === 0 || isAsked || record.background?.run === record.run) return strays
  const message = describeBackground(definition.kind === 'valid' ? definition.process.command : [])
  setRecord(service, { ...record, background: { run: record.run, message } })
  log.error({ service: service.name, run: record.run, pids: pids.join(' ') }, message)
  return strays
}

export interface Marked {
  readonly pids: readonly number[]
  /** False: a process was just executing a program, when its environment is empty. */
  readonly isReadable: boolean
}

/**
 * Processes with that mark, except the shim of the script. Lists until there are no new ones: one that forks and ends
 * during a search isn't found, and its child isn't listed yet.
 */
export function findMarked(host: ReadHost, mark: string, script: string): Marked {
  const seen = new Set<number>()
  const pids: number[] = []
  let isReadable = true
  for (let count = 0; count < mostListings; count += 1) {
    const fresh = host.processes().filter(pid => !seen.has(pid))
    if (fresh.length === 0) break
    for (const pid of fresh) {
      seen.add(pid)
      const environment = readEnvironment(host, pid)
      if (environment === 'not yet') isReadable = false
      else if (environment?.includes(`${markVariable}=${mark}`) && isLiving(host.process(pid))) {
        if (scriptOf(readCommandLine(host, pid)) !== script) pids.push(pid)
      }
    }
  }
  return { pids, isReadable }
}

/** Undefined if the process is gone, or another user's. */
function readEnvironment(host: ReadHost, pid: number): readonly string[] | 'not yet' | undefined {
  const read = (): string | undefined => tryTo(() => host.readText(`/proc/${pid}/environ`))
  const text = read()
  if (text !== '') return text?.split('\0')
  const facts = host.process(pid)
  const isKernelThread = facts?.group === 0
  if (!isLiving(facts) || isKernelThread) return undefined
  if (readCommandLine(host, pid)?.join('') === '') return 'not yet'
  // It has executed it by now, or was started without an environment.
  return read()?.split('\0')
}
