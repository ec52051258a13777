import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { makeCurrentPlan } from '../../src/engine/execution/apply.ts'
import { type Spec, stepsOf } from '../labs/engine-lab.ts'
import { failing, type RolloutLab, sleeper } from '../labs/rollout-lab.ts'
import { createSystemdRolloutLab, property, systemctl } from '../systemd-lab/engine.ts'

const asUnit = (spec: Spec): Spec => ({ supervisor: 'systemd', ...spec })

/** A whole unit as native text. */
const asText = (command: string): Spec => ({
  supervisor: 'systemd',
  config: { systemd: { text: `[Service]\nExecStart=${command}\n[Install]\nWantedBy=multi-user.target\n` } },
})

const good = (number: number): Record<string, Spec> => ({
  here: sleeper(number),
  native: asText(`/bin/sleep ${1_000_000 + number}`),
  unit: asUnit(sleeper(number)),
})

/** Commands that units run, by their process. */
function running(): string[] {
  return ['native', 'unit'].map(name => systemctl('show', '--value', '--property', 'ExecStart', name))
}

async function expectRunning({ host }: RolloutLab, number: number): Promise<void> {
  expect(running()).toEqual([1, 2].map(() => expect.stringContaining(`argv[]=/bin/sleep ${1_000_000 + number} ;`)))
  expect([property('native', 'ActiveState'), property('unit', 'ActiveState')]).toEqual(['active', 'active'])
  using session = await host.open()
  expect(stepsOf(await makeCurrentPlan(session))).toEqual([])
}

describe.skipIf(process.env.REEVE_MACHINE === undefined)('on systemd', { timeout: 180_000 }, () => {
  test.each([
    ['unit', asUnit(failing)],
    ['native', asText('/bin/false')],
    ['here', failing],
  ])(
    'E22: a revision in which %s fails is rolled back, and the one that mends it comes into force',
    async (name, spec) => {
      await using lab = await createSystemdRolloutLab()
      const first = lab.declare(good(1))
      const controller = await lab.run()
      await lab.outcome(controller, first, 'Healthy')
      await expectRunning(lab, 1)
      const bad = lab.declare({ ...good(2), [name]: spec, more: asUnit(sleeper(2)) })
      await controller.control.sync({ waits: true })
      const source = await lab.outcome(controller, bad, 'RolledBack')
      expect(source.rollout?.message).toMatch(new RegExp(`^${name}: `))
      await expectRunning(lab, 1)
      expect(property('more', 'LoadState')).toBe('not-found')
      const mended = lab.declare(good(3))
      await controller.control.sync({ waits: true })
      await lab.outcome(controller, mended, 'Healthy')
      await expectRunning(lab, 3)
      expect(lab.outcomes(controller.session)).toBe('Healthy RolledBack Healthy')
    },
  )

  test('a revision after which the repository cannot be reached is rolled back, and the next one can be fetched', async () => {
    await using lab = await createSystemdRolloutLab({ healthyDeadline: '15s' })
    const { upstream } = lab.git
    const away = `${upstream}.away`
    const first = lab.declare(good(1))
    const controller = await lab.run()
    await lab.outcome(controller, first, 'Healthy')
    const network = { Service: { Type: 'oneshot', RemainAfterExit: true, ExecStop: `/bin/mv ${away} ${upstream}` } }
    const cut = lab.declare({
      ...good(2),
      firewall: {
        supervisor: 'systemd',
        process: { command: ['/bin/mv', upstream, away], restart: { policy: 'never' } },
        config: { systemd: { unit: network } },
      },
    })
    await controller.control.sync({ waits: true })
    const source = await lab.outcome(controller, cut, 'RolledBack')
    expect(source.rollout?.message).toContain("this host can't reach its repository any more: ")
    expect(existsSync(away)).toBe(false)
    await expectRunning(lab, 1)
    const next = lab.declare(good(3))
    await controller.control.sync({ waits: true })
    await lab.outcome(controller, next, 'Healthy')
    await expectRunning(lab, 3)
  })
})
