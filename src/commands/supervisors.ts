import type { ExitCode } from '../cli/command-io.ts'
import { type AnswerOptions, type CommandContext, jsonText, openCommandSession } from '../cli/context.ts'
import { expectDirectory, namedDirectory } from '../cli/named-directory.ts'
import type { Screen } from '../cli/screen.ts'
import { type Column, tableText } from '../cli/table.ts'
import type { SupervisorReport } from '../engine/refresh/supervisor-list.ts'

/** Lists supervisors and their availability. */
export async function supervisors(
  context: CommandContext,
  directory: string | undefined,
  options: AnswerOptions,
): Promise<ExitCode> {
  const named = namedDirectory(directory, options.manifests)
  const session = await openCommandSession(context, named)
  if (named !== undefined) expectDirectory(session)
  const { listSupervisors } = await import('../engine/refresh/supervisor-list.ts')
  const reports = await listSupervisors(session)
  const { out } = context
  if (options.output === 'json') out.writeExact(jsonText({ supervisors: reports }))
  else out.write(tableText(reports, columns(out), out))
  return 0
}

function columns({ colors }: Screen): readonly Column<SupervisorReport>[] {
  return [
    { title: 'NAME', value: report => report.name },
    { title: 'TYPE', value: report => report.type, drop: 1 },
    {
      title: 'AVAILABLE',
      value: report => (report.available ? 'yes' : 'no'),
      style: (text, report) => (report.available ? colors.green(text) : colors.yellow(text)),
    },
    { title: 'VERSION', value: report => report.version ?? '-', drop: 2 },
    { title: 'FACILITIES', value: report => String(report.facilities), drop: 3 },
    { title: 'REASON', value: report => report.reason ?? '-', flexible: true, wraps: true },
  ]
}
