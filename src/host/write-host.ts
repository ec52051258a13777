import type { WriteHost } from '../core/contracts/host.ts'
import { createClock } from './clock.ts'
import { runContained } from './contained-run.ts'
import { spawnDetached } from './detached-process.ts'
import { createPerform, type EffectListener } from './effects.ts'
import { execute } from './execution.ts'
import { createFileWriting } from './file-writing.ts'
import { requestLines } from './line-request.ts'
import { writePipe } from './named-pipe.ts'
import { checkBusCall } from './query-check.ts'
import { createReadHost, type ReadHostOptions } from './read-host.ts'
import { createSharedBuses } from './shared-bus.ts'
import { sendSignal } from './signal-sending.ts'
import { createUserFileWriting } from './user-file-writing.ts'

export interface WriteHostOptions extends ReadHostOptions {
  /** Listener, called before and after each effect on the host. */
  readonly onEffect?: EffectListener
}

/** Write host: every effect of Reeve on the host goes through it. */
export function createWriteHost(options: WriteHostOptions = {}): WriteHost {
  const perform = createPerform(options.onEffect)
  const { clock = createClock(), buses = createSharedBuses(clock) } = options
  return Object.freeze<WriteHost>({
    ...createReadHost({ ...options, clock, buses }),
    ...createFileWriting(perform),
    ...createUserFileWriting(perform),
    run: (command, runOptions = {}) => perform('run', command.join(' '), () => execute(command, runOptions, clock)),
    runContained: (command, runOptions) =>
      perform('run', command.join(' '), () => runContained(command, runOptions, clock)),
    spawn: (command, spawnOptions) => perform('spawn', command.join(' '), () => spawnDetached(command, spawnOptions)),
    kill: (pid, signal) => perform('kill', `${pid} ${signal}`, () => sendSignal(pid, signal)),
    openBus: target => buses.openWriter(target, call => checkBusCall(call, options), perform),
    writePipe: (path, text) => perform('write-pipe', `${path} ${text}`, () => writePipe(path, text)),
    requestSocket: (socket, request) =>
      perform('request', `${request.method ?? 'GET'} ${socket} ${request.path}`, async () => {
        const { requestSocket } = await import('./socket-request.ts')
        return requestSocket(socket, request, clock)
      }),
    request: (socket, line, signal) => requestLines(socket, line, signal, perform),
  })
}
