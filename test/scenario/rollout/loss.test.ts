import { readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ApplyOutcome } from '../../../src/core/contracts/apply-outcome.ts'
import type { EngineEvent } from '../../../src/core/contracts/engine-event.ts'
import { createDirectControl } from '../../../src/engine/control/direct-control.ts'
import { makeCurrentPlan } from '../../../src/engine/execution/apply.ts'
import { type Spec, stepsOf } from '../../labs/engine-lab.ts'
import { createRolloutLab, type RolloutLab, sleeper } from '../../labs/rollout-lab.ts'
import { drawSample, sampleOf } from '../../runner/sample.ts'

const here = (spec: Spec): Spec => ({ supervisor: 'process', readySeconds: 0.1, ...spec })

const good = (number: number): Record<string, Spec> => ({ web: here(sleeper(number)), api: here(sleeper(number)) })

const bad = (number: number): Record<string, Spec> => ({
  ...good(number),
  web: here({ process: { command: ['/bin/sh', '-c', `exit ${number}`], restart: { policy: 'never' } } }),
})

/** Ends at the event. */
async function apply(
  { host }: RolloutLab,
  { until = () => false, fetch = true }: { until?: (event: EngineEvent) => boolean; fetch?: boolean } = {},
): Promise<ApplyOutcome> {
  using session = await host.open()
  const ending = new AbortController()
  return await createDirectControl(session).apply(
    { fetch },
    { signal: ending.signal, listener: event => until(event) && ending.abort() },
  )
}

/** True at that end of the step. */
function nth(count: number, id: string): (event: EngineEvent) => boolean {
  let seen = 0
  return event => event.type === 'step-finished' && event.step.id === id && ++seen === count
}

/** All that Reeve remembers, or what it remembers of the source. The services' own directory stays. */
function lose({ host: { stateDirectory } }: RolloutLab, what: 'the source' | 'everything'): void {
  for (const name of readdirSync(stateDirectory)) {
    if (name === 'source' || (what === 'everything' && name !== 'process')) {
      rmSync(join(stateDirectory, name), { recursive: true })
    }
  }
}

async function look(lab: RolloutLab): Promise<Record<string, unknown>> {
  using session = await lab.host.open()
  const { facilities, source } = await createDirectControl(session).status()
  return {
    outcomes: lab.outcomes(session),
    message: source?.rollout?.message ?? '',
    inForce: source?.revision?.commit,
    plan: stepsOf(await makeCurrentPlan(session)),
    pids: Object.fromEntries(facilities.map(({ name, pid }) => [name, pid])),
  }
}

const losses = ['the source', 'everything'] as const

test.concurrent.for(losses)(
  'E18: with the state of %s lost, a healthy revision is judged anew, and nothing is done',
  { timeout: 120_000 },
  async what => {
    await using lab = createRolloutLab({ minHealthyTime: '10ms' })
    const first = lab.declare(good(1))
    await apply(lab)
    const before = await look(lab)
    lose(lab, what)
    expect((await apply(lab)).stepsDone).toBe(0)
    expect(await look(lab)).toEqual(before)
    expect(before).toMatchObject({ outcomes: 'Healthy', inForce: first, plan: [] })
  },
)

test.concurrent.for(losses)(
  'E18: with the state of %s lost and the repository away, no service is stopped',
  { timeout: 120_000 },
  async what => {
    await using lab = createRolloutLab({ minHealthyTime: '10ms' })
    lab.declare(good(1))
    await apply(lab)
    const { pids } = await look(lab)
    lose(lab, what)
    renameSync(lab.git.upstream, `${lab.git.upstream}.away`)
    await expect(apply(lab)).rejects.toThrow('no revision is in force yet')
    expect((await apply(lab, { fetch: false })).plan.diagnostics).toMatchObject([{ code: 'directory-missing' }])
    renameSync(`${lab.git.upstream}.away`, lab.git.upstream)
    await apply(lab)
    expect(await look(lab)).toMatchObject({ outcomes: 'Healthy', pids, plan: [] })
  },
)

/** With the outcomes by then. */
const moments = [
  ['before it came into force', /^Healthy$/, undefined],
  ['during it', /^Healthy (?:Pending|Progressing)$/, () => nth(1, 'api/restart')],
  ['on the way back', /^Healthy Failed$/, () => nth(2, 'api/restart')],
  ['after the way back', /^Healthy RolledBack$/, () => () => false],
] as const

const cases = moments.flatMap(([when, ...rest]) => losses.map(what => [what, when, ...rest] as const))

test.concurrent.for(sampleOf(cases, drawSample(2)))(
  'E18, E22: with the state of %s lost %s, a bad revision ends as it does without',
  { timeout: 120_000 },
  async ([what, when, outcomes, until]) => {
    await using lab = createRolloutLab({ minHealthyTime: '10ms' })
    const first = lab.declare(good(1))
    await apply(lab)
    const revision = lab.declare(bad(2))
    if (until) await apply(lab, { until: until() }).catch(() => {})
    const before = await look(lab)
    expect(before).toMatchObject({ outcomes: expect.stringMatching(outcomes) })
    lose(lab, what)
    const outcome = await apply(lab)
    const after = await look(lab)
    expect(after).toMatchObject({ outcomes: 'Healthy RolledBack', inForce: first, plan: [] })
    expect(outcome.revision).toMatchObject({ commit: revision, outcome: 'RolledBack' })
    if (when === 'after the way back') expect(after.pids).toEqual(before.pids)
    const next = lab.declare(good(3))
    await apply(lab)
    expect(await look(lab)).toMatchObject({
      outcomes: 'Healthy RolledBack Healthy',
      inForce: next,
      plan: [],
      pids: { api: expect.any(Number), web: expect.any(Number) },
    })
  },
)

test.concurrent.for(losses)(
  'E22: with the state of %s lost and a newer revision that is bad, what was in force comes back',
  { timeout: 120_000 },
  async what => {
    await using lab = createRolloutLab({ minHealthyTime: '10ms' })
    lab.declare(good(1))
    await apply(lab)
    lab.declare(bad(2))
    await apply(lab)
    const good3 = lab.declare(good(3))
    await apply(lab)
    const { pids } = await look(lab)
    lose(lab, what)
    lab.declare({ ...good(3), web: here(bad(4).web ?? {}) })
    await apply(lab)
    expect(await look(lab)).toMatchObject({
      outcomes: 'Healthy RolledBack',
      inForce: good3,
      plan: [],
      pids: { api: (pids as Record<string, number>).api },
    })
  },
)
