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
  readAt: now,
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
  isReporting: false,
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

describe('a plan is started or deferred:', () => {
  const rows: [string, FacilityPlan, Partial<Known>, (string | number)[] | 'begins'][] = [
    ['no obstacle', web, {}, 'begins'],
    ['a manually requested pass goes first', web, { isHeldBack: true }, ['held-back', 'asked-pass-ended']],
    ['the host is in report mode', web, { isReporting: true }, ['reporting', 'mode-changed']],
    [
      'the host is in report mode, and a person asks',
      gone,
      { isReporting: true, pruning: 'agreed' },
      ['reporting', 'mode-changed'],
    ],
    ['the facility is busy', web, { busy: new Set(['web']) }, ['busy', 'lane-ended']],
    [
      'the facility was busy when the plan was made, and is still declared',
      web,
      { wasBusy: new Set(['web']) },
      'begins',
    ],
    ['the facility is busy under its former name', moved, { busy: new Set(['page']) }, ['busy', 'lane-ended']],
    ['it failed a moment ago', web, { heldUntil: new Map([['web', now + 1]]) }, ['backoff', now + 1]],
    ['its backoff has passed', web, { heldUntil: new Map([['web', now]]) }, 'begins'],
    [
      'the cause of its failure is gone',
      web,
      { heldUntil: new Map([['web', now + 1]]), encouraged: new Set(['web']) },
      'begins',
    ],
    ['its file claims could not be recorded', web, { unwritten: new Set(['web']) }, ['unwritten', 'state-written']],
    ['its manifest has been gone for long enough', gone, {}, 'begins'],
    [
      'its removal may have ended since the snapshot',
      gone,
      { wasBusy: new Set(['gone']) },
      ['just-ended', 'next-look'],
    ],
    ['the manifests were not read', gone, { pruning: { ...pruning, readAt: undefined } }, ['unread', 'manifests-read']],
    ['a manifest is invalid', gone, { pruning: { ...pruning, isComplete: false } }, ['incomplete', 'manifests-read']],
    [
      'its manifest is missing for the first time',
      gone,
      { pruning: { ...pruning, missingSince: new Map() } },
      ['settling', now + REMOVAL_SETTLING],
    ],
    [
      'its manifest went missing a moment ago',
      gone,
      { pruning: { ...pruning, missingSince: new Map([['gone', now - REMOVAL_SETTLING + 1]]) } },
      ['settling', now + 1],
    ],
    [
      'its manifest was not gone for long enough when it was read, and the refresh took long',
      gone,
      { pruning: { ...pruning, readAt: now - 1 } },
      ['unread', 'manifests-read'],
    ],
    [
      'the removal guard refuses',
      gone,
      { pruning: { ...pruning, owned: 1, removalLimit: { count: 0, fraction: 0.5 } } },
      ['refused', 'manifests-read'],
    ],
    ['a person confirmed the removal', gone, { pruning: 'agreed' }, 'begins'],
    ['its removal failed a moment ago', gone, { heldUntil: new Map([['gone', now + 1]]) }, ['backoff', now + 1]],
  ]
  test.each(rows)('%s', (_, facility, known, expected) => {
    const { start, wait } = decideOn([facility], known)
    const { name } = facility
    expect({ start, wait }).toEqual(
      expected === 'begins' ? { start: [name], wait: [] } : { start: [], wait: [[name, ...expected]] },
    )
  })

  test('a facility without steps neither starts nor waits', () => {
    expect(decideOn([{ ...web, steps: [] }])).toMatchObject({ start: [], wait: [] })
  })

  test('E13: a step that needs a step of a deferred facility is deferred too', () => {
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

  test('beyond the limit are all refused, while other facilities go on', () => {
    const limit = { count: 2, fraction: 0.5 }
    const refused = decideOn([web, ...three], { pruning: { ...few, removalLimit: limit } })
    expect(refused.start).toEqual(['web'])
    expect(refused.removals?.problem).toContain('3 of the 4 owned facilities would be removed')
    const allowed = decideOn([web, ...three], { pruning: { ...few, removalLimit: limit, allowRemovals: 3 } })
    expect(allowed.start).toEqual(['a', 'b', 'c', 'web'])
  })

  test('under way do not count against the limit', () => {
    const limit = { count: 2, fraction: 0.5 }
    const { start, removals } = decideOn(three, {
      busy: new Set(['a']),
      pruning: { ...few, removalLimit: limit },
    })
    expect([start, [...(removals?.missing ?? [])], removals?.problem]).toEqual([['b', 'c'], ['b', 'c'], undefined])
  })

  test('are known only from manifests that were all read for this plan', () => {
    expect(decideOn([gone], { pruning: { ...pruning, readAt: undefined } }).removals).toBeUndefined()
    expect(decideOn([gone], { isHeldBack: true }).removals).toBeUndefined()
    expect(decideOn([gone], { pruning: 'agreed' }).removals).toBeUndefined()
    expect(decideOn([gone], { pruning: { ...pruning, isComplete: false } }).removals).toEqual({ missing: new Set() })
    expect(decideOn([web]).removals).toEqual({ missing: new Set() })
  })
})

describe('E6: a lane of an older manifest is aborted when superseded:', () => {
  const declared = new Map([['web', { digest: 'two', suspend: false }]])
  const rows: [string, [string, string], ReadonlySet<string>, boolean][] = [
    ['same digest: no', ['web', 'two'], new Set(), false],
    ['older digest', ['web', 'one'], new Set(), true],
    ['a removal of a declared facility', ['web', ''], new Set(), true],
    ['an apply of a facility that is no longer declared', ['gone', 'one'], new Set(), true],
    ['a removal of a facility that is no longer declared: no', ['gone', ''], new Set(), false],
    ['a removal of a suspended facility', ['gone', ''], new Set(['gone']), true],
  ]
  test.each(rows)('%s', (_, lane, suspended, isOvertaken) => {
    expect(findOvertaken(new Map([lane]), declared, suspended)).toEqual(isOvertaken ? [lane[0]] : [])
  })

  test('a facility that is now suspended', () => {
    const suspended = new Map([['web', { digest: 'two', suspend: true }]])
    expect(findOvertaken(new Map([['web', 'two']]), suspended, new Set())).toEqual(['web'])
  })
})
