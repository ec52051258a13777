import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { foregroundHint } from '../../posix/background.ts'
import { type LoadedUnit, readProperty } from '../bus/manager.ts'

/**
 * systemd ends what a service leaves behind before anybody can look, and tells of it nowhere: that a program has put itself in the
 * background isn't known for certain, but that it ended well and soon.
 */
const endsWell = `it ends well soon after each start, as a program does that puts itself in the background; systemd needs it in the foreground (${foregroundHint}), or Type=forking in config.systemd`

/** Its unit stays active (RemainAfterExit=), with nobody to watch what goes on in it. */
const unwatched = `the program put itself in the background, where systemd does not watch it; it has to stay in the foreground (${foregroundHint}), or needs Type=forking in config.systemd`

/** Of these types the process that is started is to be the service itself. */
const foregroundTypes: ReadonlySet<unknown> = new Set(['exec', 'simple'])

/** Why a unit that has just ended well ends, and is started again, over and over. */
export async function explainGoodEnd({ path }: LoadedUnit, bus: Bus): Promise<string | undefined> {
  return foregroundTypes.has(await readProperty(bus, path, 'Service', 'Type')) ? endsWell : undefined
}

/** Of a unit that is `active (exited)`: what goes on in it unwatched, in words. */
export async function findUnwatched({ path }: LoadedUnit, bus: Bus, host: ReadHost): Promise<string | undefined> {
  const names = ['Type', 'ControlGroup']
  const [type, group] = await Promise.all(names.map(name => readProperty(bus, path, 'Service', name)))
  if (!foregroundTypes.has(type) || typeof group !== 'string' || group === '') return undefined
  const lists = ['', '/systemd'].map(root => host.readText(`/sys/fs/cgroup${root}${group}/cgroup.procs`) ?? '')
  return lists.some(processes => processes !== '') ? unwatched : undefined
}
