import type { ResolvedFacility } from '../../src/core/model/resolved-facility.ts'
import { converge, type Pass, pass, type Situation } from './convergence.ts'
import { resolveFacility } from './declaration.ts'
import { ALIAS, type Story } from './generation.ts'
import { meddle } from './meddling.ts'
import { emptyHost, type SimulatedHost } from './simulated-host.ts'

/** What the laws of planning are told: the same stories in every run, unless `REEVE_SEED` draws others. */
export const stories: { readonly seed: number; readonly numRuns: number } = {
  seed: Number(process.env.REEVE_SEED ?? 20_240_607),
  numRuns: Number(process.env.REEVE_PROPERTY_RUNS ?? 150),
}

/** Host with a service that has two names. */
export const aliasedHost: SimulatedHost = {
  ...emptyHost,
  aliases: new Map(
    ['alpha', 'beta'].map(supervisor => [`${supervisor}/${ALIAS}`, { supervisor, service: 'packaged' }]),
  ),
}

export interface Scene {
  readonly before: Situation
  readonly targets: readonly ResolvedFacility[]
}

/** The older revision, applied among strangers and disturbed; the newer one follows. */
export function stage({ older, newer, strangers, meddling }: Story): Scene {
  const start: Situation = { host: meddle(aliasedHost, strangers), applied: new Map() }
  const applied = converge(start, older.map(resolveFacility))
  return { before: { ...applied, host: meddle(applied.host, meddling) }, targets: newer.map(resolveFacility) }
}

export function chooser(choices: readonly number[]): (count: number) => number {
  let index = 0
  return count => (choices[index++ % choices.length] ?? 0) % Math.max(count, 1)
}

/** A scene, and what a pass that nothing disturbs makes of it. */
export interface Staging {
  readonly scene: Scene
  /** Worked out when it is asked for. */
  undisturbed(): Pass
}

/** Stages each story once, however many laws it is told to: laws look at scenes and passes, and change neither. */
export function createStagings(): (story: Story) => Staging {
  const known = new Map<string, Staging>()
  return story => {
    const key = JSON.stringify(story)
    const staging = known.get(key) ?? prepare(story)
    known.set(key, staging)
    return staging
  }
}

function prepare(story: Story): Staging {
  const scene = stage(story)
  let result: Pass | undefined
  return {
    scene,
    undisturbed() {
      result ??= pass(scene.before, scene.targets, { choose: chooser(story.choices) })
      return result
    },
  }
}
