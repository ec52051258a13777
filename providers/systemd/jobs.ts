import type { BusCall, WriteBus } from '../../src/core/provider.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { managerInterface, subscribe } from './manager.ts'

/** systemd's words for how a job ended: `done`, `failed`, `canceled`, `timeout`, `dependency`, `skipped`, … */
type JobResult = string

/** Jobs of systemd, each followed to its end. */
export interface Jobs {
  /** Makes the call that gives a job, and waits for the job. Throws ReeveError; `aborted` by the signal. */
  run(call: BusCall, signal: AbortSignal): Promise<JobResult>
}

/** Listens before anything is asked for, so that no end is missed. */
export async function followJobs(bus: WriteBus): Promise<Jobs> {
  const ended = new Map<string, JobResult>()
  const waiting = new Map<string, (result: JobResult) => void>()
  await bus.listen(`type='signal',interface='${managerInterface}',member='JobRemoved'`, ({ member, body }) => {
    if (member !== 'JobRemoved') return
    const [, path, , result] = body.map(String)
    if (path === undefined || result === undefined) return
    const tell = waiting.get(path)
    if (tell) tell(result)
    else ended.set(path, result)
  })
  await subscribe(bus)

  function wait(path: string, signal: AbortSignal): Promise<JobResult> {
    const result = ended.get(path)
    if (result !== undefined) return Promise.resolve(result)
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(new ReeveError('aborted', 'not waited for any longer', { cause: signal.reason }))
      const settle = (): void => {
        waiting.delete(path)
        signal.removeEventListener('abort', abort)
      }
      waiting.set(path, found => {
        settle()
        resolve(found)
      })
      signal.addEventListener('abort', abort, { once: true })
      // systemd has executed itself anew, or the bus has gone: the job goes on, and is looked at by its outcome.
      void bus.ended.then(() => {
        settle()
        resolve('lost')
      })
      if (signal.aborted) abort()
    })
  }

  return {
    async run(call, signal) {
      const [path] = await bus.call(call)
      return wait(String(path), signal)
    },
  }
}
