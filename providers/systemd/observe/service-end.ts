import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { Exit, Observed } from '../../../src/core/state/observed.ts'
import { findSignalName } from '../../../src/host/signals.ts'
import { type LoadedUnit, readNumber, readProperty } from '../bus/manager.ts'
import { describeResult, type End, exitedWith } from './exit-words.ts'

/** How the last run of a service ended, as far as systemd remembers. */

/** Of a unit that has failed. */
export async function describeFailure({ path }: LoadedUnit, bus: Bus): Promise<Partial<Observed>> {
  const [result, exit, restarts] = await Promise.all([
    readProperty(bus, path, 'Service', 'Result'),
    readExit(path, bus),
    readNumber(bus, path, 'Service', 'NRestarts'),
  ])
  const told = exit && { exit }
  if (result === 'timeout' && (await findTimeout(path, bus)) === 'stop') return { state: 'stopped', ...told }
  const message = await describeServiceResult(String(result), path, bus)
  return { ...told, restarts, totalRestarts: restarts, message }
}

const timeouts = {
  start: 'its start took longer than it may (TimeoutStartSec=)',
  run: 'it ran for longer than it may (RuntimeMaxSec=)',
  stop: 'its stop took longer than it may (TimeoutStopSec=)',
} as const

/**
 * A timeout. A stop that timed out ends as a failure, and is a stop all the same. A start that timed out has never been
 * active; and a unit that exceeded its runtime limit was active for that long.
 */
async function findTimeout(path: string, bus: Bus): Promise<'start' | 'run' | 'stop'> {
  const names = ['InactiveExitTimestampMonotonic', 'ActiveEnterTimestampMonotonic', 'ActiveExitTimestampMonotonic']
  const [[began = 0, active = 0, ending = 0], longest] = await Promise.all([
    Promise.all(names.map(name => readNumber(bus, path, 'Unit', name))),
    readNumber(bus, path, 'Service', 'RuntimeMaxUSec'),
  ])
  if (active === 0 || active < began) return 'start'
  return ending - active < longest ? 'stop' : 'run'
}

/** Of a unit that is inactive. */
export async function describeEnd({ path }: LoadedUnit, bus: Bus): Promise<Partial<Observed>> {
  const type = await readProperty(bus, path, 'Service', 'Type')
  const ended = await readNumber(bus, path, 'Service', 'ExecMainExitTimestamp')
  if (ended === 0) return {}
  const exit = await readExit(path, bus)
  return { ...(type === 'oneshot' && { completed: true }), ...(exit && { exit }) }
}

/** Reason why its last run failed; undefined if it didn't, or for a kind of unit that reports none. */
export async function readFailure(unit: LoadedUnit, bus: Bus): Promise<string | undefined> {
  const kind = resultKinds[/\.([a-z]+)$/.exec(unit.name)?.[1] ?? '']
  if (kind === undefined) return undefined
  const result = String(await readProperty(bus, unit.path, kind, 'Result'))
  if (result === 'success') return undefined
  return kind === 'Service' ? describeServiceResult(result, unit.path, bus) : describeResult(result)
}

/** Units with a `Result`, and the interface that has it. */
const resultKinds: Readonly<Record<string, string>> = {
  service: 'Service',
  socket: 'Socket',
  timer: 'Timer',
  path: 'Path',
}

async function describeServiceResult(result: string, path: string, bus: Bus): Promise<string> {
  if (result === 'timeout') return timeouts[await findTimeout(path, bus)]
  const exit = await readExit(path, bus)
  const isMain = exit !== undefined && exit.code !== 0
  return describeResult(result, isMain ? { exit } : await findFailedCommand(path, bus))
}

/** Commands that systemd runs besides the main process. */
const commandKeys = [
  'ExecCondition',
  'ExecStartPre',
  'ExecStartPost',
  'ExecReload',
  'ExecStop',
  'ExecStopPost',
] as const

/** The first of them that has failed without being allowed to. */
async function findFailedCommand(path: string, bus: Bus): Promise<End | undefined> {
  for (const key of commandKeys) {
    const commands = await readProperty(bus, path, 'Service', key)
    for (const command of Array.isArray(commands) ? commands : []) {
      const [, , isIgnored, , , , , , code, status]: unknown[] = command
      const exit = exitOf(Number(code), Number(status))
      if (isIgnored !== true && exit && exit.code !== 0) return { exit, command: `${key}=` }
    }
  }
  return undefined
}

export async function readExit(path: string, bus: Bus): Promise<Exit | undefined> {
  const [code, status] = await Promise.all([
    readNumber(bus, path, 'Service', 'ExecMainCode'),
    readNumber(bus, path, 'Service', 'ExecMainStatus'),
  ])
  return exitOf(code, status)
}

/** CLD_EXITED and CLD_KILLED of waitid(2); the signal by its number, as systemd gives it. */
function exitOf(code: number, status: number): Exit | undefined {
  if (code === 1) return exitedWith(status)
  return code === 0 ? undefined : { signal: findSignalName(status) ?? String(status) }
}
