import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { BusAddress } from '../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Instance } from '../../../src/core/model/facility.ts'

/** Where an instance of systemd keeps its things: the system's, or a user's own manager. */
export interface Layout {
  /** Where Reeve writes units. */
  readonly unitDirectory: string
  /** Of what is gone with the boot. */
  readonly runtime: string
  /** UNIT in here says what a process has read; see records.ts. Root's alone. Gone with the boot. */
  readonly recordDirectory: string
  /** UNIT in here says with what a oneshot has succeeded; see completion.ts. Gone with the boot. */
  readonly completionDirectory: string
  /** By which the manager is asked, best first. */
  readonly addresses: readonly BusAddress[]
  readonly isUser: boolean
}

export function layoutOf(instance: Instance, host: ReadHost): Layout {
  const isUser = instance.options.scope === 'user'
  const runtime = pathOr(instance.options.runtimeDirectory, isUser ? `/run/user/${host.userId()}` : '/run')
  return {
    unitDirectory: unitDirectoryOf(instance),
    runtime,
    recordDirectory: join(runtime, 'reeve-runs'),
    completionDirectory: join(runtime, 'reeve-completed'),
    addresses: [
      { socket: join(runtime, isUser ? 'bus' : 'dbus/system_bus_socket'), isPeer: false },
      { socket: join(runtime, 'systemd/private'), isPeer: true },
    ],
    isUser,
  }
}

/** Where the system's manager looks for units, their drop-ins, and what makes units, wherever Reeve writes its own. */
export const searchedDirectories: readonly string[] = [
  '/etc/systemd',
  '/run/systemd',
  '/usr/local/lib/systemd',
  '/usr/lib/systemd',
]

export function unitDirectoryOf({ options }: Instance): string {
  const usual = options.scope === 'user' ? join(homedir(), '.config/systemd/user') : '/etc/systemd/system'
  return pathOr(options.unitDirectory, usual)
}

/** What starts the units that are enabled. */
export function bootTargetOf({ options }: Instance): string {
  return options.scope === 'user' ? 'default.target' : 'multi-user.target'
}

function pathOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' && isAbsolute(value) ? value : otherwise
}
