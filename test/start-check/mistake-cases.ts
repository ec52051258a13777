import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import { type FacilitySpec, type Lab, withLab } from '../../src/conformance/lab.ts'
import { healthy, type Mistake } from './mistakes.ts'

/** A service runs, and a change would keep it from starting: it is left alone until that is corrected. */
export async function proveLeftRunning(harness: ConformanceHarness, mistake: Mistake): Promise<void> {
  await withLab(harness, async lab => {
    const directory = openPlace(lab)
    lab.declare({ web: healthy })
    await lab.converge()
    const { pid: first } = await lab.observe('web')
    const paths = await lab.definitionPaths('web')
    const before = await lookAt(lab, paths)
    const wrong = mistake.make(directory)
    lab.declare({ web: wrong })
    const plan = await lab.plan()
    assert.match(plan.facilities[0]?.blocked ?? '', mistake.told)
    assert.deepEqual(plan.facilities[0]?.steps, [])
    assert.equal(plan.summary.blocked, 1)
    const outcome = await lab.apply()
    assert.match(outcome.plan.facilities[0]?.blocked ?? '', mistake.told)
    assert.deepEqual({ failed: outcome.failed, notReady: outcome.notReady, stepsDone: outcome.stepsDone }, nothingDone)
    assert.deepEqual(await lookAt(lab, paths), before)
    const conditions = await conditionsOf(lab)
    assert.equal(conditions.get('Stalled')?.reason, 'Blocked')
    assert.match(conditions.get('Stalled')?.message ?? '', mistake.told)
    assert.doesNotMatch(JSON.stringify([plan, outcome, [...conditions]]), /hunter2/)

    mistake.mend?.(directory)
    lab.declare({ web: mistake.instead?.(directory) ?? wrong })
    const mended = await lab.plan()
    assert.equal(mended.facilities[0]?.blocked, undefined)
    assert.deepEqual((await conditionsOf(lab)).get('Stalled')?.status, 'False')
    await lab.converge()
    const { pid } = await lab.observe('web')
    assert.notEqual(pid, first)
    assert.deepEqual((await lab.plan()).facilities[0]?.steps, [])
    assert.equal((await lab.observe('web')).pid, pid)
  })
}

/**
 * A service that never existed: the plan warns, apply tries and reports the reason, and all is well once it is corrected.
 */
export async function proveWarned(harness: ConformanceHarness, mistake: Mistake): Promise<void> {
  await withLab(harness, async lab => {
    const directory = openPlace(lab)
    const wrong = withLongDelay(mistake.make(directory))
    lab.declare({ web: wrong })
    const plan = await lab.plan()
    const [facility] = plan.facilities
    const warning = plan.diagnostics.find(({ code }) => code === 'cannot-start')
    // An impossible output blocks every start.
    assert.match(facility?.blocked ?? warning?.message ?? '', mistake.told)
    const { failed, notReady } = await lab.apply()
    if (facility?.blocked === undefined) {
      assert.equal(warning?.severity, 'warning')
      assert.match([...failed, ...notReady].map(({ message }) => message).join('\n'), mistake.culprit)
    }
    const conditions = await conditionsOf(lab)
    assert.equal(conditions.get('Ready')?.status, 'False')
    assert.match(conditions.get('Ready')?.message ?? '', mistake.told)
    mistake.mend?.(directory)
    lab.declare({ web: mistake.instead?.(directory) ?? wrong })
    assert.deepEqual((await lab.plan()).diagnostics, [])
    await lab.converge()
  })
}

/**
 * Waits for the next start that its supervisor makes by itself: once corrected, apply starts the service. A start of its
 * supervisor at that moment would leave it in its crash loop until it has run for as long as apply waits.
 */
function withLongDelay(spec: FacilitySpec): FacilitySpec {
  return spec.process ? { ...spec, process: { ...spec.process, restart: { delay: '5m' } } } : spec
}

const nothingDone = { failed: [], notReady: [], stepsDone: 0 }

function openPlace({ directory }: Lab): string {
  const place = join(directory, 'place')
  mkdirSync(place)
  for (const path of [directory, place]) chmodSync(path, 0o755)
  return place
}

/** The process, and the definition that its next start would use. */
async function lookAt(lab: Lab, paths: readonly string[]): Promise<unknown> {
  const { pid, state } = await lab.observe('web')
  assert.equal(state, 'running')
  return { pid, texts: paths.map(path => existsSync(path) && readFileSync(path, 'utf8')) }
}

async function conditionsOf(
  lab: Lab,
): Promise<ReadonlyMap<string, { status: string; reason: string; message: string }>> {
  const { facilities } = await lab.control.status('web')
  return new Map(facilities[0]?.conditions.map(condition => [condition.type, condition]))
}
