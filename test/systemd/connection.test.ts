import { rmSync, writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import type { ApplyOutcome } from '../../src/core/contracts/apply-outcome.ts'
import type { Session } from '../../src/engine/session/session.ts'
import { openBusConnection } from '../../src/host/bus.ts'
import { createClock } from '../../src/host/clock.ts'
import { createSharedBuses } from '../../src/host/shared-bus.ts'
import { createWriteHost } from '../../src/host/write-host.ts'
import { longRun, type Spec, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'

const go = '/tmp/go'
const waitForGo = `until test -e ${go}; do sleep 0.05; done`
const failAtGo = `${waitForGo}; exit 3`
const ready = 'systemd-notify --ready; exec sleep 1000000'
const notify = { systemd: { unit: { Service: { Type: 'notify', NotifyAccess: 'all' } } } }

/** Job that takes as long as a test likes, and the state of its unit meanwhile. */
const slow: Readonly<Record<string, { readonly before?: Spec; readonly spec: Spec; readonly meanwhile: string }>> = {
  'a start': {
    spec: { process: { command: ['/bin/sh', '-c', `${waitForGo}; ${ready}`] }, config: notify },
    meanwhile: 'activating',
  },
  'a stop': {
    before: {
      process: { command: ['/bin/sh', '-c', `trap '${waitForGo}; exit 0' TERM; ${ready} & wait`] },
      config: notify,
    },
    spec: {
      process: { command: ['/bin/sh', '-c', `trap '${waitForGo}; exit 0' TERM; ${ready} & wait`] },
      config: notify,
      state: 'stopped',
    },
    meanwhile: 'deactivating',
  },
  'a reload': {
    before: { process: { ...longRun(), reload: { command: ['/bin/sh', '-c', waitForGo] } }, files: [file('one')] },
    spec: { process: { ...longRun(), reload: { command: ['/bin/sh', '-c', waitForGo] } }, files: [file('two')] },
    meanwhile: 'reloading',
  },
}

function file(content: string): object {
  return { path: '/tmp/web.conf', content, onChange: 'reload' }
}

/** The first connection has ended, and so has the job, when another one is made. */
async function openLate(lab: SystemdLab, over: () => Promise<unknown>): Promise<Session> {
  let count = 0
  const buses = createSharedBuses(createClock(), async (address, clock) => {
    count += 1
    if (count > 1) await over()
    return openBusConnection(address, clock)
  })
  return lab.open({ createWriteHost: options => createWriteHost({ ...options, buses }) })
}

describe.skipIf(process.env.REEVE_MACHINE === undefined)('a connection that ends during a job', () => {
  beforeEach(() => {
    for (const path of [go, '/tmp/web.conf']) rmSync(path, { force: true })
  })

  const faults: Readonly<Record<string, () => void>> = {
    'the bus restarted': () => systemctl('restart', 'dbus.service'),
    'systemd executed anew': () => systemctl('daemon-reexec'),
  }

  /** Returns the awaited promise in a list: a promise in a promise would be awaited with it. */
  async function begin(lab: SystemdLab, what: string, session?: Session): Promise<Promise<ApplyOutcome>[]> {
    const { before, spec, meanwhile } = slow[what] ?? { spec: {}, meanwhile: '' }
    if (before) {
      lab.declareUnit('web', before)
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    }
    lab.declareUnit('web', spec)
    const applying = lab.apply(session ? { session } : {})
    await eventually(`the unit to be ${meanwhile}`, () => property('web', 'ActiveState') === meanwhile)
    return [applying]
  }

  for (const what of Object.keys(slow)) {
    for (const [fault, act] of Object.entries(faults)) {
      for (const way of ['a bus', 'the private socket']) {
        if (way !== 'a bus' && fault === 'the bus restarted') continue
        test(`${what}, ${fault}, over ${way}: the job is followed to its end`, async () => {
          await using lab = await createSystemdLab()
          if (way !== 'a bus') systemctl('stop', 'dbus.socket', 'dbus.service')
          try {
            const [applying] = await begin(lab, what)
            act()
            await eventually('systemd to answer', () => property('web', 'ActiveState') === slow[what]?.meanwhile)
            writeFileSync(go, '')
            expect(await applying).toMatchObject({ failed: [], notReady: [] })
            expect(stepsOf(await lab.plan())).toEqual([])
          } finally {
            systemctl('start', 'dbus.socket')
          }
        })
      }
    }

    test(`${what} that ends while no connection exists has succeeded`, async () => {
      await using lab = await createSystemdLab()
      const before = slow[what]?.meanwhile
      const session = await openLate(lab, () => eventually('its end', () => property('web', 'ActiveState') !== before))
      const [applying] = await begin(lab, what, session)
      systemctl('restart', 'dbus.service')
      writeFileSync(go, '')
      expect(await applying).toMatchObject({ failed: [], notReady: [] })
      expect(stepsOf(await lab.plan())).toEqual([])
    })
  }

  const failing: Readonly<Record<string, { readonly before?: Spec; readonly spec: Spec }>> = {
    'a start that fails': {
      spec: {
        process: { command: ['/bin/sh', '-c', failAtGo], restart: { policy: 'never' } },
        config: notify,
      },
    },
    'a reload that fails': {
      before: { process: { ...longRun(), reload: { command: ['/bin/sh', '-c', failAtGo] } }, files: [file('one')] },
      spec: { process: { ...longRun(), reload: { command: ['/bin/sh', '-c', failAtGo] } }, files: [file('two')] },
    },
    'a oneshot, which systemd forgets,': {
      spec: {
        enabled: false,
        process: { command: ['/bin/sh', '-c', waitForGo], restart: { policy: 'never' } },
        config: { systemd: { unit: { Service: { Type: 'oneshot', RemainAfterExit: null } } } },
      },
    },
  }
  for (const [what, { before, spec }] of Object.entries(failing)) {
    test(`PITFALLS 14: ${what} while no connection exists does not count as a success`, async () => {
      await using lab = await createSystemdLab()
      if (before) {
        lab.declareUnit('web', before)
        await lab.apply()
      }
      lab.declareUnit('web', spec)
      const isOver = (): boolean => !/^(activating|reloading)$/.test(property('web', 'ActiveState'))
      const applying = lab.apply({ session: await openLate(lab, () => eventually('its end', isOver)) })
      await eventually('it to be under way', () => !isOver())
      systemctl('restart', 'dbus.service')
      writeFileSync(go, '')
      const message = expect.stringContaining('the connection to systemd was lost during the job')
      expect((await applying).failed).toEqual([{ facility: 'web', message }])
      expect(await lab.observe('web')).not.toHaveProperty('completed')
    })
  }
})
