import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { foregroundHint } from '../../posix/background.ts'
import { type LoadedUnit, readProperty } from '../bus/manager.ts'

/**
 * systemd kills a service's leftovers before they can be observed, and doesn't report them: that a program daemonized isn't
 * known for certain, only that it exited successfully and soon.
 */
const endsWell = `it ends well soon after each start, as a program does that puts itself in the background; systemd needs it in the foreground (${foregroundHint}), or Type=forking in config.systemd`

/** The unit stays active (RemainAfterExit=), with unsupervised processes. */
const unwatched = `the program put itself in the background, where systemd does not watch it; it has to stay in the foreground (${foregroundHint}), or needs Type=forking in config.systemd`

/** Service types whose started process should be the service itself. */
const foregroundTypes: ReadonlySet<unknown> = new Set(['exec', 'simple'])

/** Reason why a unit that has just exited successfully keeps exiting and being restarted. */
export async function explainGoodEnd({ path }: LoadedUnit, bus: Bus): Promise<string | undefined> {
  return foregroundTypes.has(await readProperty(bus, path, 'Service', 'Type')) ? endsWell : undefined
}

/** Message about unsupervised processes of a unit that is `active (exited)`. */
export async function findUnwatched({ path }: LoadedUnit, bus: Bus, host: ReadHost): Promise<string | undefined> {
  const names = ['Type', 'ControlGroup']
  const [type, group] = await Promise.all(names.map(name => readProperty(bus, path, 'Service', name)))
  if (!foregroundTypes.has(type) || typeof group !== 'string' || group === '') return undefined
  const lists = ['', '/systemd'].map(root => host.readText(`/sys/fs/cgroup${root}${group}/cgroup.procs`) ?? '')
  return lists.some(processes => processes !== '') ? unwatched : undefined
}
