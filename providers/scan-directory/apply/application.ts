import pLimit from 'p-limit'
import { failureOf } from '../../../src/authoring/action-report.ts'
import { eachAction } from '../../../src/authoring/each-action.ts'
import type { Action, ActionResult, Report } from '../../../src/core/contracts/provider.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { placeOf } from '../layout.ts'
import { keepRun } from '../observe/adoption.ts'
import { assertSafe } from '../observe/evidence.ts'
import { finishRecreation } from './directory-recreation.ts'
import { installDefinition, linkService } from './installation.ts'
import { removeDefinition } from './removal.ts'
import { takeOver } from './takeover.ts'
import type { Application, Task } from './task.ts'
import { disableService, enableService, reloadService, restartService, startService, stopService } from './verbs.ts'

/** Number of definitions written side by side: each has an open file for each of its own. */
const installsAtOnce = 32

type Verb = Exclude<Action['verb'], 'install'>

const verbs: Readonly<Record<Verb, (task: Task) => Promise<void>>> = {
  enable: enableService,
  disable: disableService,
  start: startService,
  stop: stopService,
  restart: restartService,
  reload: reloadService,
  remove: removeDefinition,
}

/** Executes actions side by side. The scanner is notified once for all installed definitions. */
export async function applyActions(
  actions: readonly Action[],
  application: Application,
  report: Report,
): Promise<void> {
  const installs = actions.filter(({ verb }) => verb === 'install')
  const others = actions.filter(({ verb }) => verb !== 'install')
  // Each waits for its scanner or service: any number of them may run.
  const { clock } = application
  const actOnOthers = eachAction(task => perform(task, application), { clock, atOnce: Number.POSITIVE_INFINITY })
  await Promise.all([installAll(installs, application, report), actOnOthers(others, report)])
}

function perform({ verb, service, signal, waits = () => {} }: Action, application: Application): Promise<void> {
  if (verb === 'install') throw new ReeveError('internal', 'installations are done together')
  const place = placeOf(application.layout, service)
  assertSafe(place, application.family, application.host)
  finishRecreation(place, application.host)
  return verbs[verb]({ ...application, place, signal, waits })
}

async function installAll(actions: readonly Action[], application: Application, report: Report): Promise<void> {
  const limit = pLimit(installsAtOnce)
  const enabledBefore = new Set<string>()
  const installed = await limit.map(actions, ({ id, service, definition, signal, waits = () => {} }) =>
    attempt(id, async () => {
      if (!definition) throw new ReeveError('internal', 'expected a definition to install')
      // First of all: a refused service leaves nothing behind.
      application.claimRoom(service)
      const place = placeOf(application.layout, service)
      if (await takeOver({ ...application, place, signal, waits })) enabledBefore.add(service)
      keepRun(application.family, place, definition, application.host)
      await installDefinition(definition, place, application)
    }),
  )
  // All at once, so that the scanner finds them all at its next scan.
  const results: ActionResult[] = []
  for (const [index, { service, id }] of actions.entries()) {
    const result = installed[index]
    if (result?.ok === false) results.push(result)
    else results.push(await attempt(id, async () => linkAnew(service, enabledBefore.has(service), application)))
  }
  const announced = await attempt('', async () => {
    if (actions.length > 0) await application.announce()
  })
  for (const result of results) report(announced.ok || !result.ok ? result : { ...announced, id: result.id })
}

function linkAnew(service: string, isEnabled: boolean, application: Application): void {
  const place = placeOf(application.layout, service)
  linkService(place, application)
  if (isEnabled) application.host.removeFile(place.down)
}

async function attempt(id: string, act: () => Promise<void>): Promise<ActionResult> {
  try {
    await act()
    return { id, ok: true }
  } catch (error) {
    return failureOf({ id }, error)
  }
}
