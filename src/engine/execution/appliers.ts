import type { WriteHost } from '../../core/contracts/host.ts'
import type { Applier, Provider } from '../../core/contracts/provider.ts'
import { instanceKey } from '../session/observers.ts'
import type { Session } from '../session/session.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'

/** Appliers of the process that holds the writer's lock: one per supervisor instance, opened at its first action. */
export interface Appliers extends Disposable {
  use<T>(supervisor: string, bound: Bound, act: (applier: Applier) => Promise<T>): Promise<T>
}

type Bound = Pick<BoundInstance, 'instance' | 'provider'>

interface Opened {
  readonly key: string
  readonly applier: Applier
  users: number
}

export function createAppliers({
  clock,
  log,
  openWriteHost,
}: Pick<Session, 'clock' | 'log' | 'openWriteHost'>): Appliers {
  const hosts = new Map<string, WriteHost>()
  /** By supervisor. */
  const current = new Map<string, Opened>()
  /** Appliers of instances whose options have changed since, until their last action has ended. */
  const former = new Set<Opened>()

  function hostFor(provider: Provider): WriteHost {
    const host = hosts.get(provider.type) ?? openWriteHost(provider)
    hosts.set(provider.type, host)
    return host
  }

  function open(supervisor: string, { instance, provider }: Bound): Opened {
    const key = instanceKey(instance)
    const before = current.get(supervisor)
    if (before?.key === key) return before
    const opened = { key, applier: provider.openApplier(instance, { host: hostFor(provider), clock, log }), users: 0 }
    current.set(supervisor, opened)
    if (before) {
      former.add(before)
      closeFormer(before)
    }
    return opened
  }

  function closeFormer(opened: Opened): void {
    if (opened.users === 0 && former.delete(opened)) opened.applier[Symbol.dispose]()
  }

  return {
    async use(supervisor, bound, act) {
      const opened = open(supervisor, bound)
      opened.users += 1
      try {
        return await act(opened.applier)
      } finally {
        opened.users -= 1
        closeFormer(opened)
      }
    },
    [Symbol.dispose]() {
      for (const { applier } of [...current.values(), ...former]) applier[Symbol.dispose]()
      current.clear()
      former.clear()
    },
  }
}
