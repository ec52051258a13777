import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { ServiceVerb } from '../core/contracts/provider.ts'
import type { Definition } from '../core/model/definition.ts'
import type { Ownership } from '../core/state/observed.ts'
import { makePlanRun } from '../engine/refresh/plan-run.ts'
import { eventually } from './eventually.ts'
import type { ConformanceHarness } from './harness.ts'
import { type Direct, isAlive, type Lab, LONG_RUN, readIfThere } from './lab.ts'

type Body = (lab: Lab, harness: ConformanceHarness) => Promise<void>

const service = { process: { command: LONG_RUN } }

/** Coarser than the clocks by which supervisors record times. */
const TICK = 1_000

/**
 * Contract of each method, tested on the provider itself: the engine corrects some answers, which then don't show in a plan.
 */
export const providerCases: Readonly<Record<string, Body>> = {
  async 'render returns the same bytes each time, with a digest that excludes the marker'(lab) {
    lab.declare({ web: service })
    const direct = await lab.ask('web')
    const ownership = { owner: 'one', facility: 'web', files: [], dependsOn: [], prune: true }
    const first = renderFor(direct, ownership)
    assert.deepEqual(renderFor(direct, ownership), first, 'the same facility gives the same definition')
    for (const { path, mode } of first.files) {
      assert.ok(isAbsolute(path), `${path} is absolute`)
      assert.ok(mode >= 0 && mode <= 0o7777, `${path} has the mode ${mode}`)
    }
    assert.match(first.digest, /^[0-9a-f]{64}$/, 'the digest is a hexadecimal SHA-256')
    for (const change of [
      { owner: 'another' },
      { files: ['/etc/web.conf'] },
      { dependsOn: ['db'] },
      { prune: false },
    ]) {
      const other = renderFor(direct, { ...ownership, ...change })
      const what = `a marker with ${JSON.stringify(change)}`
      assert.equal(other.digest, first.digest, `${what} leaves the digest as it is`)
      assert.notDeepEqual(other.files, first.files, `${what} stands in the definition`)
    }
  },

  async 'observe returns every requested name, with a live pid and a plausible time'(lab) {
    lab.declare({ web: service })
    const begun = Date.now()
    await lab.converge()
    const { observer, definition } = await lab.ask('web')
    const found = await observer.observe(['web', 'nobody'])
    assert.deepEqual([...found.keys()].sort(), ['nobody', 'web'])
    assert.equal(found.get('nobody')?.state, 'absent')
    const { pid = 0, since = 0, loaded } = found.get('web') ?? {}
    assert.ok(isAlive(pid), `its pid is that of a process, and not ${pid}`)
    assert.ok(since >= begun - TICK && since <= Date.now() + TICK, `since: ${since}, and it was started after ${begun}`)
    assert.ok(loaded === undefined || loaded.definition === definition.digest, 'it has loaded what it was started with')
  },

  async 'loaded is what the process has read, not what is on disk'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const before = await lab.observe('web')
    lab.declare({ web: { process: { command: ['/bin/sleep', '1000001'] } } })
    const direct = await lab.ask('web')
    const result = await direct.act('install')
    assert.ok(result.ok, 'it is installed')
    const { pid, loaded } = await direct.observe()
    assert.equal(pid, before.pid, 'an install leaves the process alone')
    assert.notEqual(loaded?.definition, direct.definition.digest, 'the process has not read the new definition')
    const { facilities } = await lab.plan()
    assert.deepEqual(
      facilities[0]?.steps.map(step => step.verb),
      ['restart'],
    )
  },

  async 'reload updates loaded'(lab, { provider }) {
    const path = join(lab.directory, 'web.conf')
    const canReload = provider.capabilities.process.includes('reload.signal')
    const program = 'trap : HUP; : > "$1"; while :; do sleep 0.1; done'
    const command = canReload ? ['/bin/sh', '-c', program, 'sh', `${path}.ready`] : LONG_RUN
    const declare = (content: string): void =>
      lab.declare({
        web: {
          process: { command, ...(canReload && { reload: { signal: 'HUP' } }) },
          files: [{ path, content, onChange: 'none' }],
        },
      })
    declare('one\n')
    await lab.converge()
    if (canReload) await eventually('the trap to be set', () => existsSync(`${path}.ready`), lab.patience)
    const { pid } = await lab.observe('web')
    declare('two\n')
    await lab.converge()
    const direct = await lab.ask('web')
    const result = await direct.act('reload')
    if (!result.ok) return assert.equal(canReload, false, `it can't reload: ${result.error.message}`)
    const { loaded, ...after } = await direct.observe()
    const told = loaded?.files[path]
    assert.ok(told === undefined || told === hash('sha256', 'two\n'), 'the process has read the new file')
    assert.equal(after.pid, pid, 'it goes on')
  },

  async 'an aborted action does not begin'(lab) {
    lab.declare({ web: { ...service, state: 'stopped' } })
    await lab.converge()
    const direct = await lab.ask('web')
    const result = await direct.act('start', { signal: AbortSignal.abort(new Error('not wanted')) })
    assert.equal(result.ok, false)
    assert.equal((await direct.observe()).state, 'stopped')
  },

  async 'an aborted action ends, whatever it waits for'(lab, { provider }) {
    const ready = join(lab.directory, 'ready')
    const stubborn = ['/bin/sh', '-c', `trap "" TERM; : > ${ready}; while :; do sleep 0.1; done`]
    const canWait = provider.capabilities.process.includes('stop.timeout')
    lab.declare({ web: { process: canWait ? { command: stubborn, stop: { timeout: '5m' } } : { command: LONG_RUN } } })
    await lab.converge()
    const direct = await lab.ask('web')
    if (canWait) await eventually('the trap to be set', () => existsSync(ready), lab.patience)
    const controller = new AbortController()
    const stop = direct.act('stop', { signal: controller.signal })
    lab.session.clock.after(200, () => controller.abort(new Error('not wanted')))
    const { ok } = await stop
    assert.ok(!ok || !canWait, 'a service that does not end is not said to have stopped')
  },

  async 'an unsupervised service is not reported as supervised'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    await lab.supervisor.abandon?.('web')
    const isAbandoned = lab.supervisor.abandon !== undefined
    await lab.untilObserved('web', `supervised: ${!isAbandoned}`, ({ supervised }) => supervised !== isAbandoned)
  },

  async 'watch gives a hint when a service changes'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const { observer, act } = await lab.ask('web')
    assert.ok(observer.watch, 'the observer has no function watch')
    let hints = 0
    const watch = observer.watch(() => {
      hints += 1
    })
    try {
      await act('stop')
      await eventually('a hint that the service was stopped', () => hints > 0, lab.patience)
    } finally {
      watch[Symbol.dispose]()
    }
  },

  async 'an observer can be disposed of twice, and another one opened'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const { open, observer } = await lab.ask('web')
    const former = open()
    assert.equal((await former.observe(['web'])).get('web')?.state, 'running')
    former[Symbol.dispose]()
    former[Symbol.dispose]()
    for (const opened of [open(), observer]) {
      using _ = opened
      assert.equal((await opened.observe(['web'])).get('web')?.state, 'running')
    }
  },

  async 'an observer works again after its supervisor has restarted'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const { observer, act, observe } = await lab.ask('web')
    const before = await observe()
    let hints = 0
    using _watch = observer.watch?.(() => {
      hints += 1
    })
    await lab.supervisor.boot()
    const isBack = async (): Promise<boolean> => {
      const now = await observe()
      return now.state === 'running' && now.pid !== before.pid
    }
    await eventually('the service to run after a boot, as the same observer sees it', isBack, lab.patience)
    assert.ok((await observer.probe()).available)
    hints = 0
    await act('stop')
    const isHinted = (): boolean => hints > 0
    if (observer.watch) await eventually('a hint that it was stopped, after the boot', isHinted, lab.patience)
  },

  async 'list returns services of other owners, and plans leave them alone'(lab) {
    lab.declare({ web: service })
    await lab.converge()
    const { pid } = await lab.observe('web')
    const other = await lab.openAs('another')
    const { instances, plan } = await makePlanRun(other)
    const [web] = plan.facilities
    assert.deepEqual(web?.steps, [])
    assert.match(web?.blocked ?? '', /adopt: true/)
    const bound = instances.get('lab')
    assert.ok(bound)
    const listed = await bound.observer.list()
    assert.deepEqual(
      listed.map(({ service, ownership }) => [service, ownership.facility, ownership.owner]),
      [['web', 'web', lab.session.configuration.owner]],
    )
    lab.declare({})
    const left = (await makePlanRun(other)).plan.facilities.flatMap(({ steps }) => steps)
    assert.deepEqual(left, [], 'it prunes nothing of another owner')
    assert.ok(pid !== undefined && isAlive(pid))
  },

  async 'an interrupted action can be repeated'(lab) {
    lab.declare({ web: service })
    const direct = await lab.ask('web')
    const act = async (verb: ServiceVerb): Promise<void> => {
      for (const effects of [1, 2, 3]) await cutOff(direct, verb, effects)
      const result = await direct.act(verb)
      assert.ok(result.ok, `${verb} after it was cut off: ${result.ok ? '' : result.error.message}`)
    }
    for (const verb of ['install', 'enable', 'start'] as const) await act(verb)
    const { pid = 0 } = await lab.observe('web')
    const { stepsDone } = await lab.converge()
    assert.deepEqual([stepsDone, (await lab.observe('web')).pid], [0, pid], 'it is as if nothing had been cut off')
    for (const verb of ['disable', 'stop', 'remove'] as const) await act(verb)
    const { state, enabled } = await lab.observe('web')
    assert.deepEqual([state, enabled, isAlive(pid)], ['absent', false, false])
  },

  async 'stop leaves no child of the service running'(lab) {
    const path = join(lab.directory, 'child')
    const script = `sleep 1000000 & echo $! > ${path}; trap 'exit 0' TERM; wait`
    lab.declare({ web: { process: { command: ['/bin/sh', '-c', script] } } })
    await lab.converge()
    await eventually('its child to run', () => readIfThere(path).endsWith('\n'))
    const child = Number(readFileSync(path, 'utf8'))
    await lab.control.act('stop', 'web')
    await eventually('its child to be gone', () => !isAlive(child), lab.patience)
  },
}

function renderFor({ provider, facility, instance }: Direct, ownership: Ownership): Definition {
  const rendered = provider.render(facility, instance, ownership)
  assert.ok('definition' in rendered)
  return structuredClone(rendered.definition)
}

/**
 * Executes an action up to so many effects and nothing after them, not even the provider's cleanup, as if SIGKILL had ended
 * the process.
 */
async function cutOff({ act }: Direct, verb: ServiceVerb, effects: number): Promise<void> {
  const controller = new AbortController()
  const death = new Error('cut off')
  let count = 0
  await act(verb, {
    signal: controller.signal,
    onEffect(_effect, phase) {
      if (phase === 'before' && count >= effects) throw death
      if (phase === 'after') count += 1
      if (count >= effects) controller.abort(death)
    },
  })
}
