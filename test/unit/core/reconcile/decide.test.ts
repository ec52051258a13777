import { describe, expect, test } from 'vitest'
import type { Change, FacilityPlan } from '../../../../src/core/plan/step.ts'
import type { Verb } from '../../../../src/core/plan/verb.ts'
import {
  decide,
  findOvertaken,
  type Known,
  type Pruning,
  REMOVAL_SETTLING,
} from '../../../../src/core/reconcile/decide.ts'

const now = 100_000

const pruning: Pruning = {
  hasRead: true,
  isComplete: true,
  missingSince: new Map([['gone', now - REMOVAL_SETTLING]]),
  owned: 10,
  removalLimit: { count: 3, fraction: 0.5 },
  allowRemovals: 0,
  command: 'reeve apply',
}

const idle: Known = {
  now,
  busy: new Set(),
  wasBusy: new Set(),
  heldUntil: new Map(),
  encouraged: new Set(),
  pruning,
  isHeldBack: false,
  unwritten: new Set(),
}

function plan(name: string, verb: Verb = 'start', ...needs: string[]): FacilityPlan {
  const step = { id: `${name}/${verb}`, verb, reason: 'new', needs } as const
  const change: Change = verb === 'remove' ? 'remove' : 'change'
  return { name, supervisor: 'alpha', service: name, change, steps: [step] }
}

function decideOn(facilities: readonly FacilityPlan[], known: Partial<Known> = {}) {
  const { start, wait, removals } = decide({ facilities }, { ...idle, ...known })
  return {
    start: start.map(({ name }) => name),
    wait: wait.map(({ facility, why, until }) => [facility, why, until]),
    removals,
  }
}

const web = plan('web')
const gone = plan('gone', 'remove')
const moved = { ...plan('site'), renamedFrom: 'page' }

describe('what begins, and what waits for what', () => {
  const rows: [string, FacilityPlan, Partial<Known>, (string | number)[] | 'begins'][] = [
    ['nothing is in its way', web, {}, 'begins'],
    ['a pass that somebody asks for comes first', web, { isHeldBack: true }, ['held-back', 'asked-pass-ended']],
    ['it is busy', web, { busy: new Set(['web']) }, ['busy', 'lane-ended']],
    ['it was busy, and is declared all the same', web, { wasBusy: new Set(['web']) }, 'begins'],
    ['it is busy under its former name', moved, { busy: new Set(['page']) }, ['busy', 'lane-ended']],
    ['it failed a moment ago', web, { heldUntil: new Map([['web', now + 1]]) }, ['backoff', now + 1]],
    ['its time has come', web, { heldUntil: new Map([['web', now]]) }, 'begins'],
    [
      'what it failed for is gone',
      web,
      { heldUntil: new Map([['web', now + 1]]), encouraged: new Set(['web']) },
      'begins',
    ],
    ['its files could not be announced', web, { unwritten: new Set(['web']) }, ['unwritten', 'state-written']],
    ['it is certain to be gone', gone, {}, 'begins'],
    ['its removal may have ended since', gone, { wasBusy: new Set(['gone']) }, ['just-ended', 'next-look']],
    ['the manifests were not read', gone, { pruning: { ...pruning, hasRead: false } }, ['unread', 'manifests-read']],
    ['a manifest is invalid', gone, { pruning: { ...pruning, isComplete: false } }, ['incomplete', 'manifests-read']],
    [
      'it is missing for the first time',
      gone,
      { pruning: { ...pruning, missingSince: new Map() } },
      ['settling', now + REMOVAL_SETTLING],
    ],
    [
      'it is missing since a moment ago',
      gone,
      { pruning: { ...pruning, missingSince: new Map([['gone', now - REMOVAL_SETTLING + 1]]) } },
      ['settling', now + 1],
    ],
    [
      'too many would be removed',
      gone,
      { pruning: { ...pruning, owned: 1, removalLimit: { count: 0, fraction: 0.5 } } },
      ['refused', 'manifests-read'],
    ],
    ['somebody has agreed to it', gone, { pruning: 'agreed' }, 'begins'],
    ['its removal failed a moment ago', gone, { heldUntil: new Map([['gone', now + 1]]) }, ['backoff', now + 1]],
  ]
  test.each(rows)('%s', (_, facility, known, expected) => {
    const { start, wait } = decideOn([facility], known)
    const { name } = facility
    expect({ start, wait }).toEqual(
      expected === 'begins' ? { start: [name], wait: [] } : { start: [], wait: [[name, ...expected]] },
    )
  })

  test('what has no steps neither begins nor waits', () => {
    expect(decideOn([{ ...web, steps: [] }])).toMatchObject({ start: [], wait: [] })
  })

  test('E13: what needs a step of one that waits itself, waits with it', () => {
    const db = plan('db', 'stop', 'web/stop')
    const known = { heldUntil: new Map([['web', now + 5]]) }
    expect(decideOn([plan('web', 'stop'), db], known)).toMatchObject({
      start: [],
      wait: [
        ['db', 'overtaking', 'lane-ended'],
        ['web', 'backoff', now + 5],
      ],
    })
  })
})

describe('E9: removals', () => {
  const three = ['a', 'b', 'c'].map(name => plan(name, 'remove'))
  const certain = new Map(['a', 'b', 'c'].map(name => [name, 0]))
  const few: Pruning = { ...pruning, owned: 4, missingSince: certain }

  test('too many of them go nowhere, and the others go on', () => {
    const limit = { count: 2, fraction: 0.5 }
    const refused = decideOn([web, ...three], { pruning: { ...few, removalLimit: limit } })
    expect(refused.start).toEqual(['web'])
    expect(refused.removals?.problem).toContain('3 of the 4 owned facilities would be removed')
    const allowed = decideOn([web, ...three], { pruning: { ...few, removalLimit: limit, allowRemovals: 3 } })
    expect(allowed.start).toEqual(['a', 'b', 'c', 'web'])
  })

  test('one that is under way was allowed, and counts no more', () => {
    const limit = { count: 2, fraction: 0.5 }
    const { start, removals } = decideOn(three, {
      busy: new Set(['a']),
      pruning: { ...few, removalLimit: limit },
    })
    expect([start, [...(removals?.missing ?? [])], removals?.problem]).toEqual([['b', 'c'], ['b', 'c'], undefined])
  })

  test('what is missing is only known by manifests that were read for the plan, all of them', () => {
    expect(decideOn([gone], { pruning: { ...pruning, hasRead: false } }).removals).toBeUndefined()
    expect(decideOn([gone], { isHeldBack: true }).removals).toBeUndefined()
    expect(decideOn([gone], { pruning: 'agreed' }).removals).toBeUndefined()
    expect(decideOn([gone], { pruning: { ...pruning, isComplete: false } }).removals).toEqual({ missing: new Set() })
    expect(decideOn([web]).removals).toEqual({ missing: new Set() })
  })
})

describe('E6: what is under way for an older manifest is overtaken', () => {
  const declared = new Map([['web', { digest: 'two', suspend: false }]])
  const rows: [string, [string, string], ReadonlySet<string>, boolean][] = [
    ['as it is declared', ['web', 'two'], new Set(), false],
    ['as it was declared before', ['web', 'one'], new Set(), true],
    ['declared, and it is being removed', ['web', ''], new Set(), true],
    ['no longer declared, and it is being brought about', ['gone', 'one'], new Set(), true],
    ['no longer declared, and it is being removed', ['gone', ''], new Set(), false],
    ['being removed, and suspended', ['gone', ''], new Set(['gone']), true],
  ]
  test.each(rows)('%s', (_, lane, suspended, isOvertaken) => {
    expect(findOvertaken(new Map([lane]), declared, suspended)).toEqual(isOvertaken ? [lane[0]] : [])
  })

  test('suspended', () => {
    const suspended = new Map([['web', { digest: 'two', suspend: true }]])
    expect(findOvertaken(new Map([['web', 'two']]), suspended, new Set())).toEqual(['web'])
  })
})
