import { expect, test } from 'vitest'
import type { FacilityPlan } from '../../../../src/core/plan/step.ts'
import type { Verb } from '../../../../src/core/plan/verb.ts'
import { findOvertaking } from '../../../../src/core/reconcile/overtaking.ts'

function plan(name: string, verb: Verb, ...needs: string[]): FacilityPlan {
  const step = { id: `${name}/${verb}`, verb, reason: 'new', needs } as const
  return { name, supervisor: 'alpha', service: name, change: 'change', steps: [step] }
}

function names(plans: readonly FacilityPlan[]): string[] {
  return plans.map(({ name }) => name)
}

test('E13: a stop that needs a deferred stop is deferred, and so on along the chain', () => {
  const web = plan('web', 'stop')
  const app = plan('app', 'stop', 'web/stop')
  const db = plan('db', 'stop', 'app/stop')
  const other = plan('other', 'stop')
  expect(names(findOvertaking([db, app, other], [web, app, db, other]))).toEqual(['db', 'app'])
})

test('E13: where nothing is deferred, everything starts', () => {
  const all = [plan('web', 'stop'), plan('db', 'stop', 'web/stop')]
  expect(findOvertaking(all, all)).toEqual([])
})

test('a removal waits for that of its dependent, and a giver of a file for its taker', () => {
  const web = plan('web', 'remove')
  const taker = plan('taker', 'install')
  const db = plan('db', 'remove', 'web/remove')
  const giver = plan('giver', 'install', 'taker/install')
  expect(names(findOvertaking([db, giver], [web, taker, db, giver]))).toEqual(['db', 'giver'])
})

test('a start may begin: it waits for its dependency to become ready, whoever starts that', () => {
  const db = plan('db', 'start')
  const web = plan('web', 'start', 'db/start')
  expect(findOvertaking([web], [db, web])).toEqual([])
})

test('a need for a step that is not in the plan defers nothing', () => {
  const db = plan('db', 'stop', 'web/stop')
  expect(findOvertaking([db], [db])).toEqual([])
})
