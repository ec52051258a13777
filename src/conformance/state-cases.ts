import assert from 'node:assert/strict'
import { existsSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ServiceVerb } from '../core/contracts/provider.ts'
import { applyOnce, makeCurrentPlan } from '../engine/execution/apply.ts'
import { makePlanRun } from '../engine/refresh/plan-run.ts'
import { openDeadline } from '../host/deadline.ts'
import { eventually } from './eventually.ts'
import { proveFields } from './field-cases.ts'
import type { ConformanceHarness } from './harness.ts'
import { isAlive, type Lab, LONG_RUN, snapshot } from './lab.ts'

type Body = (lab: Lab, harness: ConformanceHarness) => Promise<void>

const service = { process: { command: LONG_RUN } }

/** Guarantees that Reeve builds on: observe reflects each action, and repeating an action changes nothing. */
export const stateCases: Readonly<Record<string, Body>> = {
  async 'observe reflects an install, and the second plan has no steps'(lab) {
    lab.declare({ web: service, idle: { ...service, state: 'stopped', enabled: false } })
    const planned = await lab.plan()
    assert.deepEqual(planned.summary, { add: 2, change: 0, repair: 0, remove: 0, unchanged: 0, blocked: 0 })
    await lab.converge()
    const web = await lab.observe('web')
    assert.deepEqual([web.state, web.enabled, web.supervised], ['running', true, true])
    assert.equal(web.ownership?.facility, 'web')
    const idle = await lab.observe('idle')
    assert.deepEqual([idle.state, idle.enabled], ['stopped', false])
    const second = await lab.plan()
    assert.deepEqual(
      second.facilities.flatMap(facility => facility.steps),
      [],
    )
    const again = await lab.converge()
    assert.equal(again.stepsDone, 0)
    assert.equal((await lab.observe('web')).pid, web.pid, 'the second apply restarted nothing')
  },

  async 'a service of another Reeve that runs as declared is adopted without a restart'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const { pid } = await lab.observe('web')
    lab.declare({ web: { ...service, adopt: true } })
    const other = await lab.openAs('another')
    const stepsLeft = async (): Promise<string[]> =>
      (await makeCurrentPlan(other)).facilities.flatMap(({ steps }) => steps.map(step => step.id))
    assert.deepEqual(await stepsLeft(), ['web/install'])
    using deadline = openDeadline(lab.session.clock, 30_000)
    const { failed, notReady } = await applyOnce(other, { signal: deadline.signal, listener() {} })
    assert.deepEqual([failed, notReady, await stepsLeft()], [[], [], []])
    assert.equal((await lab.observe('web')).pid, pid, 'it goes on')
  },

  async 'every action is idempotent'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const { instances, refresh } = await makePlanRun(lab.session)
    const bound = instances.get('lab')
    const definition = refresh.targets[0]?.definition
    assert.ok(bound && definition)
    const { clock, log } = lab.session
    using applier = bound.provider.openApplier(bound.instance, {
      host: lab.session.openWriteHost(bound.provider),
      clock,
      log,
    })
    const twice: ServiceVerb[] = ['install', 'enable', 'disable', 'start', 'stop', 'start', 'stop', 'remove']
    for (const verb of twice) {
      const seen: string[] = []
      for (const id of [`first ${verb}`, `second ${verb}`]) {
        using deadline = openDeadline(lab.session.clock, 30_000)
        const action = { id, verb, service: 'web', definition, signal: deadline.signal }
        await applier.apply([action], result => {
          assert.ok(result.ok, `${id}: ${result.ok ? '' : result.error.message}`)
          assert.equal(result.id, id)
        })
        const { state, enabled, pid } = await lab.observe('web')
        seen.push(JSON.stringify({ state, enabled, pid }))
      }
      assert.equal(seen[1], seen[0], `${verb} the second time changed something`)
    }
  },

  async 'a definition edited on the host is detected and restored'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const [path] = await lab.definitionPaths('web')
    assert.ok(path)
    const content = readFileSync(path, 'utf8')
    const edited = lab.supervisor.meddle(content)
    assert.notEqual(edited, content)
    writeFileSync(path, edited)
    const plan = await lab.plan()
    assert.equal(plan.facilities[0]?.change, 'repair')
    assert.equal(plan.facilities[0]?.steps[0]?.reason, 'definition-drift')
    await lab.converge()
    assert.equal(readFileSync(path, 'utf8'), content)
    assert.equal((await lab.plan()).summary.unchanged, 1)
  },

  async 'a definition deleted on the host is detected and restored'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    for (const path of await lab.definitionPaths('web')) unlinkSync(path)
    const plan = await lab.plan()
    assert.equal(plan.facilities[0]?.blocked, undefined)
    assert.equal(plan.facilities[0]?.change, 'repair')
    await lab.converge()
    for (const path of await lab.definitionPaths('web')) assert.ok(existsSync(path))
    assert.equal((await lab.observe('web')).state, 'running')
    assert.equal((await lab.plan()).summary.unchanged, 1)
  },

  async 'a service killed on the host is detected and runs again'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const { pid } = await lab.observe('web')
    assert.ok(pid)
    process.kill(pid, 'SIGKILL')
    await eventually('another process to run', async () => {
      const now = await lab.observe('web')
      if (now.state === 'stopped' || now.state === 'failed') await lab.apply()
      return now.state === 'running' && now.pid !== pid
    })
    assert.equal(isAlive(pid), false)
  },

  async 'a service stopped on the host is detected and started'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    await lab.control.act('stop', 'web')
    const plan = await lab.plan()
    assert.deepEqual(
      plan.facilities[0]?.steps.map(step => [step.verb, step.reason]),
      [['start', 'stopped']],
    )
    await lab.converge()
    assert.equal((await lab.observe('web')).state, 'running')
  },

  async 'a changed definition restarts the service once'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const before = await lab.observe('web')
    lab.declare({ web: { process: { command: ['/bin/sleep', '1000001'] } } })
    const plan = await lab.plan()
    assert.equal(plan.facilities[0]?.change, 'change')
    assert.deepEqual(
      plan.facilities[0]?.steps.map(step => step.verb),
      ['install', 'restart'],
    )
    await lab.converge()
    const after = await lab.observe('web')
    assert.notEqual(after.pid, before.pid)
    await lab.converge()
    assert.equal((await lab.observe('web')).pid, after.pid)
  },

  async 'remove leaves nothing behind, and the facility can be declared again'(lab) {
    const name = 'gone-for-good'
    const path = join(lab.directory, 'web.conf')
    const gone = { [name]: { ...service, files: [{ path, content: 'one\n' }] } }
    lab.declare(gone)
    await lab.converge()
    const definitions = await lab.definitionPaths(name)
    const { pid } = await lab.observe(name)
    lab.declare({})
    await lab.converge()
    assert.ok(pid && !isAlive(pid), 'its process is gone')
    for (const left of [...definitions, path]) assert.equal(existsSync(left), false, `${left} is gone`)
    const findLeft = (): string[] => [...snapshot(lab.supervisor.watched).keys()].filter(left => left.includes(name))
    const describe = (): string => `nothing to be left of ${name}: ${findLeft().join(', ')}`
    await eventually(describe, () => findLeft().length === 0, lab.patience)
    lab.declare(gone)
    const observed = await lab.observe(name)
    assert.deepEqual([observed.state, observed.enabled], ['absent', false])
    await lab.converge()
    const again = await lab.observe(name)
    assert.deepEqual([again.state, again.enabled], ['running', true])
    assert.notEqual(again.pid, pid)
  },

  async 'observing writes nothing'(lab) {
    lab.declare({ web: service, idle: { ...service, state: 'stopped' } })
    await lab.converge()
    const watched = [...lab.supervisor.watched, lab.session.configuration.stateDirectory]
    await eventually('the supervisor to be at rest', async () => {
      const first = JSON.stringify([...snapshot(watched)])
      await new Promise(resolve => setTimeout(resolve, 300))
      return first === JSON.stringify([...snapshot(watched)])
    })
    const before = snapshot(watched)
    lab.declare({ web: { process: { command: ['/bin/sleep', '1000002'] } }, fresh: service })
    assert.ok((await lab.plan()).summary.change > 0)
    await lab.control.status()
    assert.deepEqual(snapshot(watched), before)
  },

  async 'many services are applied at once'(lab, { many = 300 }) {
    const count = Math.max(many, 20)
    const facilities: Record<string, typeof service> = {}
    for (let i = 0; i < count; i += 1) facilities[`s${i}`] = service
    lab.declare(facilities)
    await lab.converge()
    const { facilities: found } = await lab.control.status()
    assert.equal(found.filter(facility => facility.state === 'running').length, count)
    assert.equal(new Set(found.map(facility => facility.pid)).size, count)
    assert.equal((await lab.plan()).summary.unchanged, count)
    lab.declare({})
    await lab.converge({ allowRemovals: count })
    const pids = found.flatMap(facility => facility.pid ?? [])
    assert.deepEqual(pids.filter(isAlive), [])
  },

  async 'a crash-looping service is not ready, and its exit code is its own'(lab) {
    // On a busy host its end may be noticed late. A longer time costs nothing, as the wait for such a service ends after 10 s.
    lab.declare({ web: { process: { command: ['/bin/sh', '-c', 'exit 7'] }, readySeconds: 9 } })
    const outcome = await lab.apply()
    assert.deepEqual(
      [...outcome.failed, ...outcome.notReady].map(({ facility }) => facility),
      ['web'],
    )
    const { facilities } = await lab.control.status('web')
    assert.equal(facilities[0]?.conditions.find(({ type }) => type === 'Ready')?.status, 'False')
    // Not every supervisor remembers the exit code.
    const { exit } = await lab.observe('web')
    assert.ok(exit?.code === undefined || exit.code === 7, `its exit code: ${exit?.code}`)
    assert.equal(exit?.signal, undefined)
  },

  async 'every portable field has its effect, or is refused by name'(lab, { provider }) {
    await proveFields(lab, provider.capabilities.process)
  },
}
