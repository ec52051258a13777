import { isNeeded } from '../random-actions/declarations.ts'
import { crash, findProcess, isServer, usurpPort } from '../random-actions/facility-changes.ts'
import type { RandomActions } from '../random-actions/run.ts'
import { pickFree } from './actions.ts'
import type { StoryWorld } from './ledger.ts'

/** Steps that Reeve, or systemd, may have begun for a revision before the next one, or while a service did not come up. */
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
  // The revision that ends it aborts the start, or the program ends the start sooner.
  mayFailBy: /something newer is to be done about it|has failed: it exited with code/,
}

/** What is done to the host as a whole, or lasts: one at a time. */
export const storyFaults: RandomActions<StoryWorld> = {
  'systemd reloaded': ({ host }) => host.systemctl('daemon-reload'),
  'systemd re-executed': ({ host }) => host.systemctl('daemon-reexec'),
  'bus restarted': ({ host }) => host.systemctl('restart', 'dbus.service'),
  async 'controller killed'({ host, ledger }) {
    // An executed step that was not recorded yet would be missing. The next action finds the controller down.
    await ledger.settle()
    // It may still be starting from the last time.
    host.tell('kill', '--kill-whom=main', '--signal=KILL', 'reeve')
  },
  async 'reeve install again'({ host, ledger }) {
    const { exitCode, stdout, stderr } = await host.reeve(['install'])
    // It may find it killed, and start it.
    const isRight = exitCode === 0 && /No changes\.|0 added, 0 changed, 1 repaired/.test(stdout)
    if (!isRight) ledger.problems.add(`install again: ${stdout}${stderr}`)
  },
  'revision: crash loop for a while'(world, choose) {
    const { declarations, ledger, publish } = world
    const declared = pickFree(world, choose, one => one.isPresent && one.isRunning && !isNeeded(one, declarations.all))
    if (!declared) return 'nothing'
    const at = Date.now()
    const undo = crash(declared, declarations, publish)
    ledger.note(declared, 'revision: crash loop for a while', at, ofCrashes)
    return undo
  },
  'port held by another for a while'(world, choose) {
    const declared = pickFree(world, choose, one => one.isPresent && isServer(one))
    const pid = declared && findProcess(declared, world.host)
    if (!declared || pid === undefined) return 'nothing'
    world.ledger.note(declared, 'port held by another for a while', Date.now(), ofCrashes)
    return usurpPort(declared, pid)
  },
  'revision: invalid for a while'(world, choose) {
    const { broken, publish } = world
    const declared = pickFree(world, choose, ({ isPresent }) => isPresent)
    if (!declared) return 'nothing'
    broken.add(declared)
    publish()
    return () => {
      broken.delete(declared)
      publish()
    }
  },
}
