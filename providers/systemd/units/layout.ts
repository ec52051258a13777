import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { BusTarget } from '../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Instance } from '../../../src/core/model/facility.ts'
import { versionQuery } from '../bus/manager.ts'

/** Paths of an instance of systemd: the system manager, or a user manager. */
export interface Layout {
  /** Directory where Reeve writes units. */
  readonly unitDirectory: string
  /** Runtime directory, which is gone with the boot. */
  readonly runtime: string
  /** UNIT in here records what a process has loaded; see records.ts. Accessible to root only. Gone with the boot. */
  readonly recordDirectory: string
  /** UNIT in here records the last success of a oneshot; see completion.ts. Gone with the boot. */
  readonly completionDirectory: string
  /** Sockets of the manager, in order of preference. */
  readonly manager: BusTarget
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
    manager: {
      name: 'systemd',
      // systemctl uses the same two sockets, and would fail alike.
      addresses: [
        { socket: join(runtime, isUser ? 'bus' : 'dbus/system_bus_socket'), isPeer: false, check: versionQuery },
        { socket: join(runtime, 'systemd/private'), isPeer: true },
      ],
    },
    isUser,
  }
}

/** Directories where the system manager looks for units, drop-ins and generators, wherever Reeve writes its own. */
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

/** Target that starts enabled units. */
export function bootTargetOf({ options }: Instance): string {
  return options.scope === 'user' ? 'default.target' : 'multi-user.target'
}

function pathOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' && isAbsolute(value) ? value : otherwise
}
