import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Clock } from '../../../src/host/clock.ts'
import { isWrapped, wrapperFailure } from '../../posix/exec-wrapper.ts'
import { findUnits, readNumber } from '../bus/manager.ts'
import { quoteWord } from '../units/quoting.ts'

/** Time in ms that it may take to become the program, having read small files until then, and the polling interval. */
const PATIENCE = 5_000
const LOOK = 10

/** Exit codes of a shell if the program is missing or can't be run; and of the wrapper if it lacks something itself. */
const notRun: readonly number[] = [126, 127, wrapperFailure]

/** Beginning of each wrapper in a unit. */
const written = `${quoteWord('/bin/sh')} ${quoteWord('-c')} "__reeve_`

/**
 * Some programs are run by an exec wrapper, a shell that sets their variables and opens their output. systemd regards a
 * service as started once the wrapper is, and doesn't report that it couldn't become the program. Returns the exit code of a
 * wrapper that could not become the program; undefined if it has, or if that is unknown.
 */
export async function findVainExit(
  unit: string,
  text: string,
  signal: AbortSignal,
  { bus, host, clock }: { readonly bus: Bus; readonly host: ReadHost; readonly clock: Clock },
): Promise<number | undefined> {
  if (!text.includes(written)) return undefined
  for (const due = clock.elapsed() + PATIENCE; clock.elapsed() < due && !signal.aborted; await clock.sleep(LOOK)) {
    const found = (await findUnits(bus, [unit])).get(unit)
    if (!found) return undefined
    const pid = await readNumber(bus, found.path, 'Service', 'MainPID')
    if (pid > 0 && isProgram(pid, host)) return undefined
    if (pid > 0) continue
    const [how, code] = await Promise.all([
      readNumber(bus, found.path, 'Service', 'ExecMainCode'),
      readNumber(bus, found.path, 'Service', 'ExecMainStatus'),
    ])
    return how === exited && notRun.includes(code) ? code : undefined
  }
  return undefined
}

/** CLD_EXITED of waitid(2). */
const exited = 1

/** False too for a process that has just ended. */
function isProgram(pid: number, host: ReadHost): boolean {
  const command = host.process(pid) && host.readText(`/proc/${pid}/cmdline`)
  if (command === undefined || command === '') return false
  return !isWrapped(command.split('\0'))
}
