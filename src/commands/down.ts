import type { ExitCode } from '../cli/command-io.ts'
import { type AnswerOptions, type CommandContext, openCommandSession, openLog } from '../cli/context.ts'
import { namedDirectory } from '../cli/named-directory.ts'
import { startProgress } from '../cli/progress.ts'
import { carryOutRemoval } from '../cli/removal.ts'
import { count } from '../cli/screen.ts'
import { ReeveError } from '../core/reeve-error.ts'

export interface DownOptions extends AnswerOptions {
  readonly yes?: boolean
}

/** Shows what it will stop and remove, and asks; without a terminal it needs `--yes`. */
export async function down(context: CommandContext, names: readonly string[], options: DownOptions): Promise<ExitCode> {
  const progress = startProgress(context.err, context.io.clock)
  const session = await openCommandSession(
    context,
    namedDirectory(undefined, options.manifests),
    openLog(context, { level: 'warn', screen: progress.screen }),
  )
  const { openControl } = await import('../engine/control/control-access.ts')
  const { settingsOf } = await import('../engine/session/settings.ts')
  const control = await openControl(session)
  const settings = settingsOf(session, false)
  const plan = await control.planDown(names, settings)
  const missing = names.filter(name => !plan.facilities.some(facility => facility.name === name))
  if (missing.length > 0) {
    throw new ReeveError('not-found', `Reeve owns no facility ${missing.join(', ')} on this host; see reeve status`)
  }
  return carryOutRemoval(context, progress, {
    ...options,
    plan,
    command: 'reeve down',
    nothing: 'Nothing to remove.',
    question: `Stop and remove ${count(plan.summary.remove, 'facility', 'facilities')}?`,
    otherwise: 'run reeve down --yes to stop and remove all of the above',
    isElsewhere: control.pid !== undefined,
    remove: ways => control.down(names, { ...ways, settings }),
  })
}
