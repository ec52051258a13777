import { abortionOf, attempt, failureOf } from '../../../src/authoring/action-report.ts'
import type { WriteHost } from '../../../src/core/contracts/host.ts'
import type { Action, ActionResult, Report } from '../../../src/core/contracts/provider.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import type { Clock } from '../../../src/host/clock.ts'
import { enabledPath, type Layout, recordPath } from '../shared/layout.ts'
import { isRequestVerb, parseResponse, type RequestedAction } from '../shared/request.ts'
import { parseRecord } from '../shared/service-record.ts'
import { ensureSupervisor } from '../shared/supervisor-process.ts'
import { hearSupervisor } from '../shared/telling.ts'

/** Number of times a request is repeated if the supervisor is gone before it has answered. Each action is idempotent. */
const mostAttempts = 5

export interface Application {
  /** Command line of the supervisor; the directory follows. */
  readonly command: readonly string[]
  readonly layout: Layout
  readonly host: WriteHost
  readonly clock: Clock
}

/** Executes actions side by side: file changes here, everything else by one request to the supervisor. */
export async function applyActions(
  actions: readonly Action[],
  application: Application,
  report: Report,
): Promise<void> {
  const open = new Map(actions.map(action => [action.id, action]))
  const giveUp = new AbortController()

  function finish(result: ActionResult): void {
    if (!open.delete(result.id)) return
    report(result)
    if (open.size === 0) giveUp.abort()
  }

  using _aborts = listenForAborts(actions, finish)
  try {
    installDefinitions(open, application, finish)
    if (open.size === 0) return
    await ensure(application, giveUp.signal)
    setEnablement(open, application, finish)
    await requestActions(open, application, finish, giveUp.signal)
  } catch (error) {
    for (const action of [...open.values()]) finish(failureOf(action, error))
  }
}

/** Actions often share a signal: one listener serves them all. */
function listenForAborts(actions: readonly Action[], finish: Report): Disposable {
  const removals: (() => void)[] = []
  for (const signal of new Set(actions.map(action => action.signal))) {
    const abort = (): void => {
      for (const action of actions.filter(action => action.signal === signal)) {
        finish(failureOf(action, abortionOf(action)))
      }
    }
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    removals.push(() => signal.removeEventListener('abort', abort))
  }
  return {
    [Symbol.dispose]() {
      for (const remove of removals) remove()
    },
  }
}

function installDefinitions(open: ReadonlyMap<string, Action>, { layout, host }: Application, finish: Report): void {
  for (const { id, verb, definition } of [...open.values()]) {
    if (verb !== 'install') continue
    perform(id, finish, () => {
      if (!definition) throw new ReeveError('internal', 'expected a definition to install')
      host.makeDirectory(layout.directory, { mode: 0o700 })
      host.makeDirectory(layout.definitions, { mode: 0o700 })
      for (const { path, content, mode } of definition.files) host.writeFile(path, content, { mode })
    })
  }
}

/** Ensures that the supervisor runs before the marker is written: a supervisor that starts later would start the service. */
function setEnablement(open: ReadonlyMap<string, Action>, { layout, host }: Application, finish: Report): void {
  for (const { id, verb, service } of [...open.values()]) {
    if (verb === 'enable') perform(id, finish, () => host.writeFile(enabledPath(layout, service), '', { mode: 0o600 }))
    if (verb === 'disable') perform(id, finish, () => host.removeFile(enabledPath(layout, service)))
  }
}

async function requestActions(
  open: ReadonlyMap<string, Action>,
  application: Application,
  finish: Report,
  signal: AbortSignal,
): Promise<void> {
  const { layout, host, clock } = application
  const { records } = await hearSupervisor(layout, host, clock)
  // Read once: if the request is repeated, a service that was started meanwhile isn't started again.
  const runs = new Map<string, number>()
  for (const { service, verb } of open.values()) {
    if (verb !== 'start' && verb !== 'restart') continue
    const record = records.get(service) ?? parseRecord(host.readText(recordPath(layout, service)))
    runs.set(service, record?.run ?? 0)
  }
  for (let count = 1; open.size > 0; count += 1) {
    if (count > 1) await ensure(application, signal)
    const line = JSON.stringify({ actions: [...open.values()].map(action => toRequested(action, runs)) })
    try {
      for await (const answer of host.request(layout.socket, line, signal)) {
        const response = parseResponse(answer)
        if (response) finish(toResult(response.id, response.error))
      }
    } catch (error) {
      if (signal.aborted) return
      if (count >= mostAttempts) throw error
    }
    if (count >= mostAttempts && open.size > 0) {
      throw new ReeveError('unavailable', `the supervisor of ${layout.directory} keeps ending; see ${layout.log}`)
    }
  }
}

function toRequested({ id, verb, service }: Action, runs: ReadonlyMap<string, number>): RequestedAction {
  if (!isRequestVerb(verb)) throw new ReeveError('internal', `expected a verb for the supervisor, found ${verb}`)
  const after = runs.get(service)
  return { id, verb, service, ...(after !== undefined && { after }) }
}

function toResult(id: string, error: string | undefined): ActionResult {
  return error === undefined ? { id, ok: true } : { id, ok: false, error: new ReeveError('failed', error) }
}

function ensure({ command, layout, host, clock }: Application, signal: AbortSignal): Promise<void> {
  return ensureSupervisor(command, layout, host, clock, signal)
}

function perform(id: string, finish: Report, act: () => void): void {
  if (attempt({ id }, finish, act)) finish({ id, ok: true })
}
