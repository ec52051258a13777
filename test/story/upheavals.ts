import type { Declared } from '../soak/declarations.ts'
import type { Stage } from './deeds.ts'
import type { Ledger } from './ledger.ts'

/** What is done to the host as a whole. */
export type Upheaval = () => Promise<void> | void

export interface UpheavalStage extends Stage {
  readonly ledger: Ledger
  /** Whose manifest is broken just now. */
  readonly broken: Set<Declared>
  /** One more deed, to one facility. */
  meddle(): void
}

/** So many deeds at most while a revision isn't valid. */
const MEANWHILE = 10

export function createUpheavals(stage: UpheavalStage): Readonly<Record<string, Upheaval>> {
  const { broken, choose, declarations, host, ledger, publish } = stage
  return {
    'systemd reloaded': () => void host.systemctl('daemon-reload'),
    'systemd executed anew': () => void host.systemctl('daemon-reexec'),
    'bus restarted': () => void host.systemctl('restart', 'dbus.service'),
    async 'controller killed'() {
      // A step that was done and not written down yet would be missing. What is done next finds nobody there.
      await ledger.settle()
      // It may still be on its way up from the last time.
      host.tell('kill', '--kill-whom=main', '--signal=KILL', 'reeve')
    },
    async 'reeve install again'() {
      const { exitCode, stdout, stderr } = await host.reeve(['install'])
      // It may find it killed, and start it.
      const isRight = exitCode === 0 && /No changes\.|0 added, 0 changed, 1 repaired/.test(stdout)
      if (!isRight) ledger.problems.add(`install again: ${stdout}${stderr}`)
    },
    'a revision that is not valid'() {
      const free = declarations.all.filter(one => one.isPresent && !ledger.isPending(one))
      const declared = free[choose(free.length)]
      if (!declared) return
      broken.add(declared)
      publish()
      for (let left = choose(MEANWHILE); left >= 0; left -= 1) stage.meddle()
      broken.delete(declared)
      publish()
    },
  }
}
