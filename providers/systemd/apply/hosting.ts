import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Hosting } from '../../../src/core/contracts/hosting.ts'
import { layoutOf } from '../units/layout.ts'

/** Directory in which systemd-logind notes whose manager runs without a session: a file for each user, by name. */
const lingerDirectory = '/var/lib/systemd/linger'

/** Settings of Reeve's own controller as a unit. */
export const hosting: Hosting = {
  keepsOutput: true,
  config: {
    unit: {
      Unit: { Description: "Reeve keeps this host's services as declared", After: 'network.target' },
      Service: {
        // Ready after the first pass. Node can't send datagrams, so systemd-notify does it for the controller.
        Type: 'notify',
        NotifyAccess: 'all',
        WatchdogSec: '2min',
        // Only the controller ends with its unit: the built-in supervisor and its services are in its cgroup, and keep
        // running.
        KillMode: 'process',
        OOMPolicy: 'continue',
        TasksMax: 'infinity',
      },
    },
  },
  options: host => (host.userId() === 0 ? {} : { scope: 'user' }),
  advise(instance, host) {
    if (!layoutOf(instance, host).isUser || lingers(host)) return undefined
    return 'It runs while you are logged in. For it to run from boot on: loginctl enable-linger'
  },
}

function lingers(host: ReadHost): boolean {
  const names = host.readDirectory(lingerDirectory) ?? []
  return names.some(name => host.findUser(name)?.uid === host.userId())
}
