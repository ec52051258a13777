import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Clock } from '../../../src/host/clock.ts'
import { isWrapped, wrapperFailure } from '../../posix/exec-wrapper.ts'
import { findUnits, readNumber } from '../bus/manager.ts'
import { quoteWord } from '../units/quoting.ts'

/** How long (ms) it may take to become the program: it has read small files till then. And how often it is looked. */
const PATIENCE = 5_000
const LOOK = 10

/** What a shell ends with where there is no program, or it can't be run; and the wrapper where it lacks something itself. */
const notRun: readonly number[] = [126, 127, wrapperFailure]

/** How each wrapper begins in a unit. */
const written = `${quoteWord('/bin/sh')} ${quoteWord('-c')} "__reeve_`

/**
 * Some programs are run by an exec wrapper, a shell that brings them their variables and opens their output. systemd calls a
 * service started as soon as that one has been, and doesn't tell that it couldn't become the program.
 *
 * Gives the exit code of a wrapper that could not become the program; undefined if it has, or how it is can't be told.
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

/** False too of one that has just ended. */
function isProgram(pid: number, host: ReadHost): boolean {
  const command = host.process(pid) && host.readText(`/proc/${pid}/cmdline`)
  if (command === undefined || command === '') return false
  return !isWrapped(command.split('\0'))
}
