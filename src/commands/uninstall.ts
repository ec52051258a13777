import type { ExitCode } from '../cli/command-io.ts'
import { type AnswerOptions, type CommandContext, openCommandSession, openLog } from '../cli/context.ts'
import { namedDirectory } from '../cli/named-directory.ts'
import { startProgress } from '../cli/progress.ts'
import { carryOutRemoval } from '../cli/removal.ts'

export interface UninstallOptions extends AnswerOptions {
  readonly yes?: boolean
}

/** Removes what `install` made. The controller's services go on, no longer reconciled. */
export async function uninstall(
  context: CommandContext,
  directory: string | undefined,
  options: UninstallOptions,
): Promise<ExitCode> {
  const progress = startProgress(context.err, context.io.clock)
  const session = await openCommandSession(
    context,
    namedDirectory(directory, options.manifests),
    openLog(context, { level: 'warn', screen: progress.screen }),
  )
  const { planUninstallation, carryOutUninstallation } = await import('../engine/install/installation.ts')
  return carryOutRemoval(context, progress, {
    ...options,
    plan: await planUninstallation(session),
    command: 'reeve uninstall',
    nothing: 'The controller is not installed.',
    question: 'Stop and remove the service of the controller? The services that it keeps go on.',
    otherwise: 'run reeve uninstall --yes to remove the service of the controller',
    remove: ways => carryOutUninstallation(session, ways),
  })
}
