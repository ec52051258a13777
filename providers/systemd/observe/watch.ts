import { join } from 'node:path'
import type { BusSignal } from '../../../src/core/contracts/bus.ts'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { ObserverTools } from '../../../src/core/contracts/provider.ts'
import { managerInterface, propertiesInterface, subscribe } from '../bus/manager.ts'
import type { Layout } from '../units/layout.ts'
import { hasSuffix, servicesOf, startersOfName, unitOfPath } from '../units/unit-name.ts'

/** Delay in ms before another attempt to subscribe; doubled each time. */
const firstDelay = 100
const longestDelay = 5_000

const rules = [
  `type='signal',interface='${managerInterface}'`,
  `type='signal',interface='${propertiesInterface}',path_namespace='/org/freedesktop/systemd1/unit'`,
  "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.freedesktop.systemd1'",
]

/**
 * systemd's own signals, and changes of the unit directory. Signals between the two Reloading signals have no meaning;
 * UnitNew and UnitRemoved are ignored, since they report units that somebody queried.
 */
export function watchManager(
  { unitDirectory, manager }: Layout,
  { host, clock }: Pick<ObserverTools, 'host' | 'clock'>,
  hint: (service?: string) => void,
): Disposable {
  const bus = host.openBus(manager)
  let timer: Disposable | undefined
  let isReloading = false
  let disposed = false

  function hintUnit(unit: string | undefined): void {
    if (unit === undefined) return
    for (const service of [...servicesOf(unit), ...startersOfName(unit)]) hint(service)
  }

  function hear({ member, path, body }: BusSignal): void {
    if (member === 'Reloading') {
      isReloading = body[0] === true
      if (!isReloading) hint()
    } else if (member === 'NameOwnerChanged') {
      // It has re-executed itself and has no subscribers; nor does it complete its earlier signals.
      isReloading = false
      if (body[2] !== '') begin()
    } else if (isReloading) return
    else if (member === 'PropertiesChanged') hintUnit(unitOfPath(path))
    else if (member === 'JobRemoved') hintUnit(typeof body[2] === 'string' ? body[2] : undefined)
    else if (member === 'UnitFilesChanged') hint()
  }

  /** Signals until now are lost, and further ones need a subscription. */
  function begin(delay = firstDelay): void {
    timer?.[Symbol.dispose]()
    isReloading = false
    subscribe(bus).then(
      () => hint(),
      () => {
        if (disposed) return
        timer = clock.after(delay, () => begin(Math.min(delay * 2, longestDelay)), { keepsAlive: false })
      },
    )
  }

  const files = watchUnits(unitDirectory, host, hint, hintUnit)
  bus.onConnection(isConnected => (isConnected ? begin() : hint()))
  // Without systemd the attempts repeat for ever, which is no reason for an observation: resyncs report the problem.
  for (const rule of rules) bus.listen(rule, hear).catch(() => {})
  return {
    [Symbol.dispose]() {
      disposed = true
      timer?.[Symbol.dispose]()
      files[Symbol.dispose]()
      bus[Symbol.dispose]()
    },
  }
}

/** The unit directory, and in it those of drop-ins and links. */
function watchUnits(
  directory: string,
  host: ReadHost,
  hint: () => void,
  hintUnit: (unit: string | undefined) => void,
): Disposable {
  const folders = new Map<string, Disposable>()

  function follow(): void {
    const present = new Set((host.readDirectory(directory) ?? []).filter(isFolder))
    for (const [name, watch] of folders) {
      if (present.has(name)) continue
      watch[Symbol.dispose]()
      folders.delete(name)
    }
    for (const name of present) {
      if (folders.has(name)) continue
      const ofDropIns = name.endsWith('.d')
      const changed = (file?: string): void => hintUnit(ofDropIns ? name.slice(0, -'.d'.length) : file)
      folders.set(name, host.watch(join(directory, name), changed))
    }
  }

  const units = host.watch(directory, name => {
    if (name !== undefined && hasSuffix(name)) return hintUnit(name)
    follow()
    hint()
  })
  follow()
  return {
    [Symbol.dispose]() {
      units[Symbol.dispose]()
      for (const watch of folders.values()) watch[Symbol.dispose]()
    },
  }
}

function isFolder(name: string): boolean {
  return /\.(?:d|wants|requires|upholds)$/.test(name)
}
