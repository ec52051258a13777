import type { ExitCode } from '../cli/command-io.ts'
import { type AnswerOptions, type CommandContext, jsonText, openCommandSession } from '../cli/context.ts'
import { reportDiagnostics } from '../cli/diagnostic-report.ts'
import { openFullScreen } from '../cli/full-screen.ts'
import { namedDirectory } from '../cli/named-directory.ts'
import { remarkText } from '../cli/screen.ts'
import { sourceText } from '../cli/source-text.ts'
import { facilityStatusText, statusText } from '../cli/status-table.ts'
import type { Control } from '../core/contracts/control.ts'
import type { Status } from '../core/contracts/status.ts'
import type { Diagnostic } from '../core/model/diagnostic.ts'
import { ReeveError } from '../core/reeve-error.ts'
import type { Session } from '../engine/session/session.ts'

export interface StatusOptions extends AnswerOptions {
  readonly watch?: boolean
}

/** Milliseconds between two refreshes of `--watch`. */
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
  const answer = await ask(session, await openControl(session), name)
  const { diagnostics, isUnreadable, status } = answer
  await reportDiagnostics(diagnostics, context.err)
  if (options.output === 'json') context.out.writeExact(jsonText(status))
  else context.out.write(screenText(context, answer, name, []))
  const { mode = 'reconcile', controller } = status
  const wanted = session.configuration.mode
  if (controller && mode !== wanted) {
    const text = `the host configuration says mode: ${wanted}, and the controller (process ${controller.pid}) still goes by mode: ${mode}: restart it`
    context.err.write(remarkText('Warning:', text, context.err))
  }
  if (status.atBoot !== undefined && name === undefined) {
    context.err.write(remarkText('Warning:', status.atBoot, context.err))
  }
  // Without a named directory, what is on the host is the whole answer.
  return isUnreadable && (session.hasDirectory || status.facilities.length === 0) ? 1 : 0
}

interface Answer {
  readonly status: Status
  /** A controller tells of invalid manifests in its status; without one, they are here. */
  readonly diagnostics: readonly Diagnostic[]
  /** The directory itself: an empty table would say that nothing is declared. */
  readonly isUnreadable: boolean
}

async function ask(session: Session, control: Control, name: string | undefined): Promise<Answer> {
  const status = await control.status(name)
  if (status.controller !== undefined) return { status, diagnostics: [], isUnreadable: false }
  const { validate } = await import('../engine/refresh/validation.ts')
  const { diagnostics } = await validate(session)
  const isUnreadable = diagnostics.some(({ file, line }) => line === 0 && file === session.manifests.directory)
  return { status, diagnostics, isUnreadable }
}

function screenText(
  { io, out }: CommandContext,
  { status, isUnreadable }: Answer,
  name: string | undefined,
  problems: readonly string[],
): string {
  const mode = status.mode ? remarkText('Report mode:', 'nothing is changed on this host.', out) : ''
  const [only] = status.facilities
  if (name !== undefined && only) return mode + facilityStatusText(only, out, io.clock.now())
  const empty = isUnreadable ? '' : 'No facilities.\n'
  const source = status.source ? `${sourceText(status.source, out, io.clock.now())}\n` : ''
  return mode + source + statusText(status, out, io.clock.now(), { problems, empty })
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
  const { diagnosticLine } = await import('../manifest/diagnostics/diagnostic-text.ts')
  const { abortable } = await import('../host/abortable.ts')
  const findControl = createControlFinder(session)
  const interrupted = new AbortController()
  const interrupt = (): void => interrupted.abort()
  using _registration = io.onSignal(interrupt)
  if (io.stdoutClosed.aborted) interrupt()
  else io.stdoutClosed.addEventListener('abort', interrupt, { once: true })
  const { signal } = interrupted
  using view = openView(context, options, answer => {
    const problems = answer.diagnostics.map(diagnosticLine)
    return { problems, text: screenText(context, answer, name, problems) }
  })
  let failures = 0
  for (; !signal.aborted; await io.clock.sleep(WATCH_INTERVAL, signal).catch(() => {})) {
    try {
      const control = await abortable(findControl(), signal)
      view.show(await abortable(ask(session, control, name), signal))
      failures = 0
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof ReeveError) || error.code !== 'unavailable') throw error
      // A controller that has just ended fails to answer once; a stopped one, until it is continued.
      failures += 1
      if (failures === 2) view.complain(remarkText('!', error.message, err))
    }
  }
}

interface View extends Disposable {
  show(answer: Answer): void
  complain(text: string): void
}

/** `render`: text and problems of an answer; JSON leaves the problems to stderr. */
function openView(
  { out, err }: CommandContext,
  { output }: StatusOptions,
  render: (answer: Answer) => { readonly problems: readonly string[]; readonly text: string },
): View {
  if (output === 'text' && out.live) {
    const screen = openFullScreen(out)
    let last = ''
    return {
      show(answer) {
        last = render(answer).text
        screen.draw(last)
      },
      complain: text => screen.draw(text + last),
      [Symbol.dispose]: () => screen[Symbol.dispose](),
    }
  }
  let last: string | undefined
  return {
    show(answer) {
      const { facilities, controller, mode, source } = answer.status
      const { problems, text } = render(answer)
      const now = JSON.stringify([facilities, controller?.problems, problems, source, mode])
      if (now === last) return
      if (output === 'json') {
        err.write(problems.map(problem => remarkText('!', problem, err)).join(''))
        out.writeExact(`${JSON.stringify(answer.status)}\n`)
      } else out.write(`${last === undefined ? '' : '\n'}${text}`)
      last = now
    },
    complain: text => err.write(text),
    [Symbol.dispose]() {},
  }
}
