import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat, openCommandSession } from '../cli/context.ts'
import { reportDiagnostics } from '../cli/diagnostic-report.ts'
import { openFullScreen } from '../cli/full-screen.ts'
import { namedDirectory } from '../cli/named-directory.ts'
import { oneLine } from '../cli/screen.ts'
import { facilityStatusText, statusText } from '../cli/status-table.ts'
import type { Status } from '../core/contracts/status.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { Session } from '../engine/session/session.ts'

export interface StatusOptions {
  readonly output: OutputFormat
  readonly manifests?: string
  readonly watch?: boolean
}

/** Milliseconds between two looks of `--watch`. */
const WATCH_INTERVAL = 1000

export async function status(
  context: CommandContext,
  name: string | undefined,
  options: StatusOptions,
): Promise<ExitCode> {
  const session = await openCommandSession(context, namedDirectory(undefined, options.manifests))
  if (options.watch) {
    await watch(context, session, name, options)
    return 0
  }
  const { openControl } = await import('../engine/control/control-access.ts')
  const control = await openControl(session)
  const answer = await control.status(name)
  let isUnreadable = false
  if (answer.controller === undefined) {
    // A controller tells of invalid manifests in its status; without one, what is missing from the table is said here.
    const { validate } = await import('../engine/refresh/validation.ts')
    const { diagnostics } = await validate(session)
    await reportDiagnostics(diagnostics, context.err)
    // Of the directory itself: an empty table would say that nothing is declared.
    isUnreadable = diagnostics.some(({ file, line }) => line === 0 && file === session.manifests.directory)
  }
  if (options.output === 'json') context.out.writeExact(jsonText(answer))
  else if (answer.facilities.length > 0 || !isUnreadable) context.out.write(screenText(context, answer, name))
  if (answer.atBoot !== undefined) {
    context.err.write(`${context.err.colors.yellow('Warning:')} ${oneLine(answer.atBoot)}\n`)
  }
  // Where nobody has named a directory, what is on the host is the whole answer.
  return isUnreadable && (session.hasDirectory || answer.facilities.length === 0) ? 1 : 0
}

function screenText({ io, out }: CommandContext, answer: Status, name: string | undefined): string {
  const [only] = answer.facilities
  return name !== undefined && only
    ? facilityStatusText(only, out, io.clock.now())
    : statusText(answer, out, io.clock.now())
}

/**
 * Redraws on a terminal; elsewhere writes anew (JSON: a line) whenever something has changed but the ages. It goes on when
 * the controller ends, or another one begins.
 */
async function watch(
  context: CommandContext,
  session: Session,
  name: string | undefined,
  options: StatusOptions,
): Promise<void> {
  const { io, err } = context
  const { createControlFinder } = await import('../engine/control/control-access.ts')
  const { abortable } = await import('../host/abortable.ts')
  const findControl = createControlFinder(session)
  const interrupted = new AbortController()
  const interrupt = (): void => interrupted.abort()
  using _registration = io.onSignal(interrupt)
  if (io.stdoutClosed.aborted) interrupt()
  else io.stdoutClosed.addEventListener('abort', interrupt, { once: true })
  const { signal } = interrupted
  using view = openView(context, name, options)
  let failures = 0
  for (; !signal.aborted; await io.clock.sleep(WATCH_INTERVAL, signal).catch(() => {})) {
    try {
      const control = await abortable(findControl(), signal)
      view.show(await abortable(control.status(name), signal))
      failures = 0
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof ReeveError) || error.code !== 'unavailable') throw error
      // One that has just ended doesn't answer once. One that is stopped doesn't till somebody has it go on.
      failures += 1
      if (failures === 2) view.complain(`${err.colors.yellow('!')} ${oneLine(error.message)}\n`)
    }
  }
}

interface View extends Disposable {
  show(answer: Status): void
  complain(text: string): void
}

function openView(context: CommandContext, name: string | undefined, { output }: StatusOptions): View {
  const { out, err } = context
  if (output === 'text' && out.live) {
    const screen = openFullScreen(out)
    let last = ''
    return {
      show(answer) {
        last = screenText(context, answer, name)
        screen.draw(last)
      },
      complain: text => screen.draw(text + last),
      [Symbol.dispose]: () => screen[Symbol.dispose](),
    }
  }
  let last: string | undefined
  return {
    show(answer) {
      const { facilities, controller } = answer
      const now = JSON.stringify([facilities, controller?.problems])
      if (now === last) return
      if (output === 'json') out.writeExact(`${JSON.stringify(answer)}\n`)
      else out.write(`${last === undefined ? '' : '\n'}${screenText(context, answer, name)}`)
      last = now
    },
    complain: text => err.write(text),
    [Symbol.dispose]() {},
  }
}
