import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ReeveError } from '../core/reeve-error.ts'
import type { Observed } from '../core/state/observed.ts'
import type { ConformanceHarness } from './harness.ts'
import { isAlive, type Lab, LONG_RUN } from './lab.ts'

type Body = (lab: Lab, harness: ConformanceHarness) => Promise<void>

const service = { process: { command: LONG_RUN } }

function expectUnavailable(error: unknown): Pick<Observed, 'state'> {
  if (error instanceof ReeveError && error.code === 'unavailable') return { state: 'unknown' }
  throw error
}

/** The basic contract: start, stop, restart, enable, disable, and the conditions that limit them. */
export const contractCases: Readonly<Record<string, Body>> = {
  async 'start starts a stopped service'(lab) {
    lab.declare({ web: { ...service, state: 'stopped' } })
    await lab.converge()
    const outcome = await lab.control.act('start', 'web')
    assert.equal(outcome.changed, true)
    const observed = await lab.observe('web')
    assert.equal(observed.state, 'running')
    assert.ok(observed.pid !== undefined && isAlive(observed.pid))
  },

  async 'start of a running service changes nothing'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const before = await lab.observe('web')
    const outcome = await lab.control.act('start', 'web')
    assert.equal(outcome.changed, false)
    assert.equal((await lab.observe('web')).pid, before.pid)
  },

  async 'restart replaces the process'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const before = await lab.observe('web')
    await lab.control.act('restart', 'web')
    const after = await lab.observe('web')
    assert.equal(after.state, 'running')
    assert.notEqual(after.pid, before.pid)
    assert.ok(before.pid !== undefined && !isAlive(before.pid), 'the old process is gone')
  },

  async 'restarts by the supervisor are counted, and a requested restart resets the count'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const first = await lab.observe('web')
    assert.ok(first.pid !== undefined)
    process.kill(first.pid, 'SIGKILL')
    const isAgain = ({ state, pid }: Observed): boolean => state === 'running' && pid !== first.pid
    const again = await lab.untilObserved('web', 'another run', isAgain)
    // A provider that can't tell leaves it out: a wrong number would hide or invent a crash loop.
    assert.ok(again.restarts === undefined || again.restarts === 1, `restarts: ${again.restarts}`)
    assert.ok(again.totalRestarts === undefined || again.totalRestarts === 1, `in total: ${again.totalRestarts}`)
    assert.ok(again.exit?.signal === undefined || again.exit.signal === 'KILL', `signal: ${again.exit?.signal}`)
    await lab.control.act('restart', 'web')
    const asked = await lab.observe('web')
    assert.equal(asked.restarts ?? 0, 0)
    assert.equal(asked.totalRestarts ?? 0, 0)
  },

  async 'start begins a pending restart of the supervisor at once'(lab, { provider }) {
    const path = join(lab.directory, 'may-run')
    const command = ['/bin/sh', '-c', `test -e ${path} && exec sleep 1000000; exit 7`]
    const canWait = provider.capabilities.process.includes('restart.delay')
    lab.declare({ web: { process: { command, ...(canWait && { restart: { delay: '5m' } }) }, state: 'stopped' } })
    await lab.converge()
    // Whether that counts as a failed start is up to the provider.
    await lab.control.act('start', 'web').catch(() => {})
    await lab.untilObserved('web', 'it to wait', ({ state, pid, restarts = 0 }) => {
      return state === 'starting' && pid === undefined && restarts > 0
    })
    writeFileSync(path, '')
    await lab.control.act('start', 'web')
    await lab.untilObserved('web', 'it to run', ({ state }) => state === 'running')
  },

  async 'restart of a stopped service starts it'(lab) {
    lab.declare({ web: { ...service, state: 'stopped' } })
    await lab.converge()
    await lab.control.act('restart', 'web')
    assert.equal((await lab.observe('web')).state, 'running')
  },

  async 'stop stops a service, which stays stopped'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const { pid } = await lab.observe('web')
    await lab.control.act('stop', 'web')
    assert.equal((await lab.observe('web')).state, 'stopped')
    assert.ok(pid !== undefined && !isAlive(pid), 'its process is gone')
  },

  async 'stop of a stopped service changes nothing'(lab) {
    lab.declare({ web: { ...service, state: 'stopped' } })
    await lab.converge()
    const outcome = await lab.control.act('stop', 'web')
    assert.equal(outcome.changed, false)
    assert.equal((await lab.observe('web')).state, 'stopped')
  },

  async 'an enabled service starts at boot and a disabled one does not'(lab) {
    lab.declare({ on: { ...service, enabled: true }, off: { ...service, enabled: false } })
    await lab.converge()
    assert.equal((await lab.observe('on')).enabled, true)
    assert.equal((await lab.observe('off')).enabled, false)
    await lab.supervisor.boot()
    await lab.untilObserved('on', 'the enabled service to run', ({ state }) => state === 'running')
    assert.equal((await lab.observe('off')).state, 'stopped')
  },

  async 'enable and disable take effect, and repeating them changes nothing'(lab) {
    lab.declare({ web: { ...service, enabled: 'unmanaged' } })
    await lab.converge()
    const { pid } = await lab.observe('web')
    for (const [verb, enabled] of [
      ['enable', true],
      ['disable', false],
      ['enable', true],
    ] as const) {
      assert.equal((await lab.control.act(verb, 'web')).changed, true, `${verb} the first time`)
      assert.equal((await lab.observe('web')).enabled, enabled)
      assert.equal((await lab.control.act(verb, 'web')).changed, false, `${verb} the second time`)
    }
    assert.equal((await lab.observe('web')).pid, pid, 'the running service was not touched')
  },

  async '--if-stopped acts only on a stopped service'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const { pid } = await lab.observe('web')
    const running = await lab.control.act('restart', 'web', { ifStopped: true })
    assert.equal(running.changed, false)
    assert.equal((await lab.observe('web')).pid, pid)
    await lab.control.act('stop', 'web')
    const stopped = await lab.control.act('restart', 'web', { ifStopped: true })
    assert.equal(stopped.changed, true)
    assert.equal((await lab.observe('web')).state, 'running')
  },

  async '--if-changed acts only on a service whose configuration changed'(lab) {
    const path = join(lab.directory, 'web.conf')
    const file = { path, content: 'one\n', onChange: 'none' }
    lab.declare({ web: { ...service, files: [file] } })
    await lab.converge()
    const { pid } = await lab.observe('web')
    assert.equal((await lab.control.act('restart', 'web', { ifChanged: true })).changed, false)
    assert.equal((await lab.observe('web')).pid, pid)
    lab.declare({ web: { ...service, files: [{ ...file, content: 'two\n' }] } })
    await lab.converge()
    assert.equal((await lab.observe('web')).pid, pid, 'onChange: none leaves it running')
    assert.equal((await lab.control.act('restart', 'web', { ifChanged: true })).changed, true)
    assert.notEqual((await lab.observe('web')).pid, pid)
    assert.equal((await lab.control.act('restart', 'web', { ifChanged: true })).changed, false, 'the flag is cleared')
  },

  async 'an unavailable supervisor makes its services unknown, with a reason, and no step follows'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const { pid } = await lab.observe('web')
    const direct = await lab.ask('web')
    await lab.supervisor.makeUnavailable()
    try {
      // observe may report what it can find without the supervisor, or throw.
      const { state } = await direct.observe().catch(expectUnavailable)
      assert.ok(state === 'unknown' || state === 'running', `of a service that runs, observe says: ${state}`)
      const plan = await lab.plan()
      const [web] = plan.facilities
      assert.deepEqual(web?.steps, [])
      assert.match(web?.blocked ?? '', /unavailable|unknown/)
      assert.ok((web?.blocked ?? '').length > 'supervisor lab is unavailable: '.length, 'it says why')
      const { facilities } = await lab.control.status()
      assert.equal(facilities[0]?.state, 'unknown')
      lab.declare({})
      assert.deepEqual(
        (await lab.plan()).facilities.filter(facility => facility.steps.length > 0),
        [],
        'it is not pruned',
      )
    } finally {
      await lab.supervisor.makeAvailable()
    }
    lab.declare({ web: service })
    await lab.untilObserved('web', 'it to be as before', now => now.pid === pid)
  },

  async 'an existing service that is not owned is left alone'(lab) {
    lab.declare({ web: service })
    const [path] = await lab.definitionPaths('web')
    assert.ok(path)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, 'somebody else wrote this\n')
    const plan = await lab.plan()
    assert.deepEqual(plan.facilities[0]?.steps, [])
    assert.match(plan.facilities[0]?.blocked ?? '', /adopt: true/)
    await lab.apply()
    assert.equal(readFileSync(path, 'utf8'), 'somebody else wrote this\n')
  },
}
