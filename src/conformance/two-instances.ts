import assert from 'node:assert/strict'
import type { ConformanceHarness } from './harness.ts'
import { type Lab, LONG_RUN, withLab } from './lab.ts'

const service = { process: { command: LONG_RUN } }

/** Cases for providers of which a host can have several supervisors: those that take options. */
export const twoInstanceCases: Readonly<Record<string, (lab: Lab, harness: ConformanceHarness) => Promise<void>>> = {
  async 'two instances of one supervisor run side by side'(lab, harness) {
    await withLab(harness, async other => {
      lab.declare({ web: service })
      other.declare({ web: service })
      await lab.converge()
      await other.converge()
      const [one, two] = [await lab.observe('web'), await other.observe('web')]
      assert.notEqual(one.pid, two.pid)
      await other.control.act('stop', 'web')
      assert.equal((await lab.observe('web')).pid, one.pid)
      assert.equal((await other.observe('web')).state, 'stopped')
    })
  },

  async 'instances that are open at once do not affect one another'(lab, harness) {
    lab.declare({ web: service })
    await lab.converge()
    const own = await lab.ask('web')
    await withLab(
      harness,
      async other => {
        other.declare({ web: { ...service, state: 'stopped' } })
        await other.converge()
        const theirs = await other.ask('web')
        const states = await Promise.all([own.observe(), theirs.observe()])
        assert.deepEqual(
          states.map(({ state }) => state),
          ['running', 'stopped'],
        )
        theirs.observer[Symbol.dispose]()
        assert.equal((await own.observe()).state, 'running')
      },
      'other',
    )
    const result = await own.act('stop')
    assert.ok(result.ok)
    assert.equal((await own.observe()).state, 'stopped')
  },
}
