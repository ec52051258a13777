import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat, openCommandSession } from '../cli/context.ts'
import { reportDiagnostics } from '../cli/diagnostic-report.ts'
import { facilityStatusText, statusText } from '../cli/status-table.ts'
import type { Control } from '../engine/control.ts'
import type { Status } from '../engine/status.ts'

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
  const session = await openCommandSession(context, options.manifests)
  const { openControl } = await import('../engine/control-access.ts')
  const control = await openControl(session)
  if (options.watch) {
    await watch(context, control, name, options)
    return 0
  }
  const answer = await control.status(name)
  if (answer.controller === undefined) {
    // A controller tells of invalid manifests in its status; without one, what is missing from the table is said here.
    const { validate } = await import('../engine/validation.ts')
    await reportDiagnostics(validate(session).diagnostics, context.err)
  }
  context.out.write(options.output === 'json' ? jsonText(answer) : screenText(context, answer, name))
  return 0
}

function screenText({ io, out }: CommandContext, answer: Status, name: string | undefined): string {
  const [only] = answer.facilities
  return name !== undefined && only
    ? facilityStatusText(only, out, io.clock.now())
    : statusText(answer, out, io.clock.now())
}

/** Redraws on a terminal; elsewhere writes anew (JSON: a line) whenever something has changed but the ages. */
async function watch(
  context: CommandContext,
  control: Control,
  name: string | undefined,
  options: StatusOptions,
): Promise<void> {
  const { io, out } = context
  const interrupted = new AbortController()
  using _registration = io.onSignal(() => interrupted.abort())
  const signal = AbortSignal.any([interrupted.signal, io.stdoutClosed])
  let last = ''
  while (!signal.aborted) {
    const answer = await control.status(name)
    const now = JSON.stringify(answer.facilities)
    if (options.output === 'json') {
      if (now !== last) out.write(`${JSON.stringify(answer)}\n`)
    } else if (out.live) {
      out.write(`\x1b[H\x1b[2J\x1b[3J${screenText(context, answer, name)}`)
    } else if (now !== last) {
      out.write(`${last === '' ? '' : '\n'}${screenText(context, answer, name)}`)
    }
    last = now
    await io.clock.sleep(WATCH_INTERVAL, signal).catch(() => {})
  }
}
