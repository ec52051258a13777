import { readFileSync } from 'node:fs'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { createDirectControl } from '../../../src/engine/control/direct-control.ts'
import { makeCurrentPlan } from '../../../src/engine/execution/apply.ts'
import { reevePath } from '../../labs/cli-fixture.ts'
import { type Spec, stepsOf } from '../../labs/engine-lab.ts'
import { createRolloutLab, type RolloutLab, sleeper } from '../../labs/rollout-lab.ts'
import { openReport } from '../../runner/report.ts'
import { drawSample, isThorough } from '../../runner/sample.ts'
import { bundleProgram } from '../../tools/bundled-program.ts'

const report = openReport('crash-rollout', 'SIGKILL of reeve apply during a roll-out, and again', [
  'SCENARIO',
  'MOMENT',
  'OF',
  'DIED',
])

const quick = (spec: Spec): Spec => ({ readySeconds: 0.1, ...spec })

const good = (number: number): Record<string, Spec> => ({ web: quick(sleeper(number)), api: quick(sleeper(number)) })

/** Changes all that is there, adds something, and never becomes healthy. */
const bad = (number: number): Record<string, Spec> => ({
  web: quick({ process: { command: ['/bin/sh', '-c', `exit ${number}`], restart: { policy: 'never' } } }),
  api: quick(sleeper(number)),
  more: quick(sleeper(number)),
})

type Declare = (number: number) => Record<string, Spec>

const scenarios: readonly { name: string; apply: Declare; next?: Declare; ends: RegExp; stride: number }[] = [
  { name: 'a good revision', apply: good, ends: /^Healthy Healthy$/, stride: 15 },
  { name: 'a bad revision', apply: bad, ends: /^Healthy RolledBack$/, stride: 33 },
  {
    name: 'a bad revision before a good one',
    apply: bad,
    next: good,
    // Killed before it was fetched, nothing is known of the bad one.
    ends: /^Healthy(?: (?:Superseded|Failed|RolledBack|RollbackFailed))? Healthy$/,
    stride: 33,
  },
]

test.concurrent.for(scenarios)(
  'E4, E22: apply killed by SIGKILL at any effect ends as an undisturbed one when run again: $name',
  { timeout: 600_000 },
  async ({ name, apply, next, ends, stride }) => {
    using child = await bundleProgram(new URL('../../crash/bootstrap-child.ts', import.meta.url))
    await using lab = createRolloutLab({ minHealthyTime: '10ms' })
    const sample = drawSample(isThorough ? 1 : stride)
    let number = 0
    let tried = 0
    for (let [moment, of] = [0, 0]; moment <= of; moment = moment === 0 ? sample.first : moment + sample.stride) {
      number += 2
      const started = lab.declare(good(number))
      await applyAgain(lab)
      const changed = lab.declare(apply(number + 1))
      const died = await applyAndDie(lab, child.path, moment)
      if (moment === 0) of = Number(died)
      report.add(name, moment, of, died)
      const last = next ? lab.declare(next(number)) : changed
      await applyAgain(lab)
      const inForce = apply === good || next ? last : started
      const running = apply === good ? number + 1 : number
      expect(await look(lab, started), `killed at ${moment} of ${of}: ${died}`).toEqual({
        inForce,
        outcomes: expect.stringMatching(ends),
        plan: [],
        services: ['api', 'web'].map(one => `${one} running /bin/sleep ${1_000_000 + running}`),
      })
      tried += 1
    }
    expect(tried).toBeGreaterThan(3)
  },
)

/** Applies in a process that dies at the moment: gives the effect it died at, or the number of moments if it survived. */
async function applyAndDie({ host }: RolloutLab, child: string, moment: number): Promise<string> {
  const words = ['--config', host.path('reeve.yaml'), '--state-dir', host.stateDirectory, '--insecure-permissions']
  const { signal, stdout, stderr } = await execa(
    process.execPath,
    [child, reevePath, String(moment), 'apply', '--allow-removals', '10', ...words],
    { reject: false },
  )
  expect(signal, stdout + stderr).toBe(moment === 0 ? undefined : 'SIGKILL')
  return stdout.trim().split('\n').at(-1) ?? ''
}

async function applyAgain({ host }: RolloutLab): Promise<void> {
  const session = await host.open()
  const signal = new AbortController().signal
  await createDirectControl(session).apply({ allowRemovals: 10 }, { signal, listener() {} })
  session[Symbol.dispose]()
}

/** What a user sees in the end; of the outcomes, those of the named revision and of newer ones. */
async function look(lab: RolloutLab, since: string): Promise<Record<string, unknown>> {
  const session = await lab.host.open()
  const revisions = lab.revisions(session)
  const { facilities } = await createDirectControl(session).status()
  const plan = await makeCurrentPlan(session)
  session[Symbol.dispose]()
  const first = revisions.findIndex(({ commit }) => commit === since)
  return {
    inForce: revisions.find(({ isInForce }) => isInForce)?.commit,
    outcomes: revisions
      .slice(0, first + 1)
      .map(({ outcome }) => outcome)
      .reverse()
      .join(' '),
    plan: stepsOf(plan),
    services: facilities.map(({ name, state, pid }) => `${name} ${state} ${commandOf(pid)}`).sort(),
  }
}

function commandOf(pid: number | null | undefined): string {
  return pid ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim() : ''
}
