import type { ResolvedFacility } from '../../src/core/model/resolved-facility.ts'
import { converge, type Pass, pass, type Situation } from './convergence.ts'
import { resolveFacility } from './declaration.ts'
import { ALIAS, type Story } from './generation.ts'
import { meddle } from './meddling.ts'
import { emptyHost, type SimulatedHost } from './simulated-host.ts'

/** A host with a service that has two names. */
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

/** The older revision applied among strangers, and meddled with; the newer one is to come. */
export function stage({ older, newer, strangers, meddling }: Story): Scene {
  const start: Situation = { host: meddle(aliasedHost, strangers), applied: new Map() }
  const applied = converge(start, older.map(resolveFacility))
  return { before: { ...applied, host: meddle(applied.host, meddling) }, targets: newer.map(resolveFacility) }
}

export function chooser(choices: readonly number[]): (count: number) => number {
  let index = 0
  return count => (choices[index++ % choices.length] ?? 0) % Math.max(count, 1)
}

export function undisturbed({ before, targets }: Scene, story: Story): Pass {
  return pass(before, targets, { choose: chooser(story.choices) })
}
