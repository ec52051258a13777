import { type Declared, isNeeded } from '../random-actions/declarations.ts'
import { takePort } from '../random-actions/port-stranger.ts'
import { findProcess, isServer, type Stage } from './actions.ts'
import type { Ledger } from './ledger.ts'

/** What is done to the host as a whole. */
export type Fault = () => Promise<void> | void

export interface FaultStage extends Stage {
  readonly ledger: Ledger
  /** Whose manifest is broken just now. */
  readonly broken: Set<Declared>
  /** One more deed, to one facility. */
  meddle(): void
}

/** So many deeds at most while a revision isn't valid, or a service can't come up. */
const MEANWHILE = 10

/** What Reeve, or systemd, may have begun of a revision before the next one came, or while a service did not come up. */
const ofCrashes = {
  tells: () => [],
  mayTell: [
    'install definition-changed',
    'restart definition-changed',
    'restart out-of-date',
    'restart unhealthy',
    'restart ended',
    'start stopped',
    'start failed',
  ],
  mayFailBy: /something newer is to be done about it/,
}

export function createFaults(stage: FaultStage): Readonly<Record<string, Fault>> {
  const { broken, choose, declarations, host, ledger, publish } = stage

  /** One that is as declared, as far as is known. */
  function pickFree(suits: (declared: Declared) => boolean): Declared | undefined {
    const free = declarations.all.filter(
      one => one.isPresent && !ledger.isPending(one) && !broken.has(one) && suits(one),
    )
    return free[choose(free.length)]
  }

  function meddleMore(): void {
    for (let left = choose(MEANWHILE); left >= 0; left -= 1) stage.meddle()
  }

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
    'a revision that crashes'() {
      const declared = pickFree(one => one.isRunning && !isNeeded(one, declarations.all))
      if (!declared) return
      const at = Date.now()
      const put = (isBroken: boolean): void => {
        declared.isBroken = isBroken
        declared.mark = declarations.nextMark()
        publish()
      }
      put(true)
      ledger.note(declared, 'revision: crashes, and then does not', at, ofCrashes)
      meddleMore()
      put(false)
    },
    async 'port held by another'() {
      const declared = pickFree(isServer)
      const pid = declared && findProcess(declared, stage)
      if (declared?.port === undefined || pid === undefined) return
      const at = Date.now()
      process.kill(pid, 'SIGKILL')
      ledger.note(declared, 'port held by another, and left', at, ofCrashes)
      const stranger = await takePort(declared.port)
      meddleMore()
      stranger?.close()
    },
    'a revision that is not valid'() {
      const declared = pickFree(() => true)
      if (!declared) return
      broken.add(declared)
      publish()
      meddleMore()
      broken.delete(declared)
      publish()
    },
  }
}
