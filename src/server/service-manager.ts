import type { WriteHost } from '../core/contracts/host.ts'
import { messageOf } from '../core/reeve-error.ts'
import { visibleLine } from '../core/text/visible-text.ts'
import type { Clock } from '../host/clock.ts'

/** The service manager that started the controller: systemd, or another that understands sd_notify. */
export interface ServiceManager {
  /** The first pass is done. */
  tellReady(status: string): Promise<void>
  /** One line for `systemctl status`. */
  tellStatus(status: string): Promise<void>
  tellStopping(): Promise<void>
  /** Feeds the watchdog at half its interval as long as `isAlive`. */
  startWatchdog(isAlive: () => boolean): Disposable
}

export interface ServiceManagerOptions {
  /** NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are used. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly host: WriteHost
  readonly clock: Clock
  readonly warn: (message: string) => void
  /** The controller's process id. */
  readonly pid: number
}

/** Time limit of one notification, in ms. */
const noticeTimeout = 5_000

/**
 * Speaks through the program `systemd-notify`, since Node has no datagram unix sockets. Without NOTIFY_SOCKET it does
 * nothing; where the program is missing or fails, it warns once and goes on. Never rejects.
 */
export function createServiceManager(options: ServiceManagerOptions): ServiceManager {
  const { environment, host, clock, warn, pid } = options
  const socket = environment.NOTIFY_SOCKET
  let warned = false

  async function notify(...words: string[]): Promise<void> {
    if (!socket) return
    try {
      const command = ['systemd-notify', `--pid=${pid}`, ...words]
      const { exitCode, stderr } = await host.run(command, {
        environment: { NOTIFY_SOCKET: socket },
        timeout: noticeTimeout,
      })
      if (exitCode !== 0) complain(stderr.trim() || `systemd-notify gave ${exitCode}`)
    } catch (error) {
      complain(messageOf(error))
    }
  }

  function complain(message: string): void {
    if (warned) return
    warned = true
    warn(`the service manager can't be told of this controller's state: ${message}`)
  }

  return {
    tellReady: status => notify('--ready', `--status=${toLine(status)}`),
    tellStatus: status => notify(`--status=${toLine(status)}`),
    tellStopping: () => notify('STOPPING=1'),
    startWatchdog(isAlive) {
      const interval = findWatchdogInterval(environment, pid)
      if (!socket || interval === undefined) return { [Symbol.dispose]() {} }
      let timer: Disposable
      const beat = (): void => {
        if (isAlive()) void notify('WATCHDOG=1')
        timer = clock.after(interval / 2, beat)
      }
      beat()
      return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
    },
  }
}

/** The watchdog's interval in ms. Undefined if there is none, or for another process. */
function findWatchdogInterval(environment: ServiceManagerOptions['environment'], pid: number): number | undefined {
  const { WATCHDOG_USEC: interval, WATCHDOG_PID: meant } = environment
  if (interval === undefined || !/^[1-9]\d*$/.test(interval)) return undefined
  if (meant !== undefined && meant !== String(pid)) return undefined
  return Number(interval) / 1000
}

function toLine(text: string): string {
  return visibleLine(text)
}
