import type { SpawnedProcess } from '../../../src/core/contracts/runs.ts'
import { messageOf } from '../../../src/core/reeve-error.ts'
import { isUnwritable } from '../../../src/host/failure.ts'
import { runPath } from '../shared/layout.ts'
import { type OutputOpening, outputOf } from './output-file.ts'
import { type Context, noteUnwritable, type Service } from './service.ts'
import { renderShim, type ShimPlan, shimCommand } from './shim-script.ts'

export interface ShimStart {
  readonly plan: ShimPlan
  /** Whether its script is in its file. */
  readonly isWritten: boolean
  readonly environment: Readonly<Record<string, string>>
  readonly output: OutputOpening
}

/** Returns false if nothing can be written. Throws ReeveError. */
export function writeScript(plan: ShimPlan, context: Context): boolean {
  const { host, layout } = context
  const script = runPath(layout, plan.service, plan.run, 'sh')
  try {
    host.removeFile(script)
    host.appendFile(script, renderShim(layout, plan), { mode: 0o600 })
    return true
  } catch (error) {
    if (!noteUnwritable(error, context)) throw error
    return false
  }
}

/**
 * Opens the output of a service. If nothing can be written there, the service is started all the same and its output
 * discarded. Throws other errors of `open`.
 */
export function openOrDiscard<T>({ name, definition }: Service, context: Context, open: () => T, discard: () => T): T {
  try {
    return open()
  } catch (error) {
    if (definition.kind !== 'valid' || !isUnwritable(error)) throw error
    const { file } = outputOf(context.layout, name, definition.process)
    context.unwritable.failed(file, `the output of ${name} is thrown away till its next start: ${messageOf(error)}`)
    return discard()
  }
}

/** Starts the shim of a run, and follows it to its end. Throws ReeveError. */
export function spawnShim(service: Service, start: ShimStart, context: Context): void {
  const { host, layout } = context
  const { plan, isWritten, environment } = start
  const script = runPath(layout, plan.service, plan.run, 'sh')
  const command = shimCommand(script, isWritten ? undefined : renderShim(layout, plan, false))
  const spawn = (output: OutputOpening): SpawnedProcess => {
    const isOpened = output.by === 'supervisor'
    const options = isOpened ? { output: output.file, outputMode: 0o640 } : {}
    const shim = host.spawn(command, { environment, directory: '/', ...options })
    if (isOpened) context.unwritable.worked(output.file)
    return shim
  }
  const shim = openOrDiscard(
    service,
    context,
    () => spawn(start.output),
    () => spawn({ by: 'nobody' }),
  )
  const facts = host.process(shim.pid)
  service.known = facts ? { shim: { pid: shim.pid, startTime: facts.startTime } } : {}
  service.spawned = plan.run
  void shim.exited.then(status => {
    if (plan.run > service.shimEnded) {
      service.shimEnded = plan.run
      service.shimStatus = status
    }
    context.wake(service.name)
  })
}
