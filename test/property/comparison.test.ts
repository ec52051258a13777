import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { assumeApplied } from '../../src/core/plan/applied-state.ts'
import { makePlan } from '../../src/core/plan/planning.ts'
import type { Plan } from '../../src/core/plan/step.ts'
import { assertReported, openPropertyReport } from '../runner/reported-property.ts'
import { converge, planFor, stepsOf } from '../simulation/convergence.ts'
import { type Declaration, OWNER, resolveFacility, sha256 } from '../simulation/declaration.ts'
import { changes } from '../simulation/generation.ts'
import { emptyHost } from '../simulation/simulated-host.ts'
import { stories } from '../simulation/stage.ts'

vi.setConfig({ testTimeout: 60_000 })

const report = openPropertyReport('property-comparison', 'Comparisons of two revisions, over stories')

function compare(older: readonly Declaration[], newer: readonly Declaration[]): Plan {
  const targets = newer.map(resolveFacility)
  const assumed = assumeApplied(older.map(resolveFacility), { next: targets, owner: OWNER, hash: sha256 })
  return makePlan({ ...assumed, targets, owner: OWNER, prune: true }, sha256)
}

/** A host on which such a facility was applied is as it declares, whatever its program does. With `never`, it could be a job. */
function isPlain({ command, restart, state, enabled, suspend, native }: Declaration): boolean {
  const isDaemon = (command === undefined || command?.[0] === '/bin/daemon') && restart !== 'never'
  const isManaged = state !== 'unmanaged' && enabled !== 'unmanaged'
  return isDaemon && isManaged && !suspend && !native
}

/** Without conflicts and without dependencies on what doesn't run, for which a base is never applied. */
function alone(declarations: readonly Declaration[]): Declaration[] {
  const plain = declarations.filter(isPlain)
  const names = new Set(plain.flatMap(({ name, state }) => (state === 'stopped' ? [] : name)))
  return plain.map(({ conflicts: _, dependsOn = [], ...rest }) => ({
    ...rest,
    adopt: false,
    dependsOn: dependsOn.filter(name => names.has(name)),
  }))
}

describe('a comparison, over many stories', () => {
  test('of a revision with itself has no steps', () => {
    assertReported(
      report,
      fc.property(changes, ({ older }) => {
        expect(stepsOf(compare(older, older))).toEqual([])
      }),
      stories,
    )
  })

  test('is the plan on a host where the base was applied, with steps, reasons and diffs', () => {
    let withSteps = 0
    assertReported(
      report,
      fc.property(changes, story => {
        const [older, newer] = [alone(story.older), alone(story.newer)]
        const applied = converge({ host: emptyHost, applied: new Map() }, older.map(resolveFacility))
        const onHost = planFor(applied, newer.map(resolveFacility))
        const compared = compare(older, newer)
        if (stepsOf(onHost).length > 0) withSteps += 1
        expect(compared.facilities).toEqual(onHost.facilities)
      }),
      stories,
    )
    expect(withSteps).toBeGreaterThan(stories.numRuns / 2)
  })
})
