import { describe, expect, test } from 'vitest'
import {
  begin,
  conclude,
  currentOf,
  findBase,
  findNeeded,
  findRefusal,
  findWayBack,
  goOn,
  isBusy,
  noRevisions,
  type RolloutState,
  recover,
  update,
} from '../../../../src/engine/rollout/revision-record.ts'
import type { Revision } from '../../../../src/source/source-state.ts'

const at = '2026-01-01T00:00:00.000Z'

const revision = (commit: string, tree = commit): Revision => ({
  commit,
  tree,
  reference: 'refs/heads/main',
  referenceId: commit,
  subject: `Change ${commit}`,
  author: 'Ada',
  committedAt: at,
  since: at,
})

/** `a:Healthy b:RolledBack@tree c`: revisions one after another, each with its outcome and content. */
function history(text: string): RolloutState {
  let state: RolloutState = noRevisions
  let healthy: string | undefined
  for (const word of text.split(' ')) {
    const [, commit = '', outcome = 'Pending', tree = commit] = /^(\w+):?(\w*)@?(\w*)$/.exec(word) ?? []
    const base = healthy === undefined ? {} : { base: healthy }
    state = begin(state, { revision: revision(commit, tree || commit), changed: ['web'], at, ...base })
    if (outcome === 'Healthy') healthy = commit
    const isBack = outcome === 'RolledBack' || outcome === 'RollbackFailed' || outcome === 'GoingBack'
    const backTo = isBack && healthy !== undefined ? { backTo: healthy } : {}
    if (outcome === 'GoingBack') state = conclude(state, commit, 'Failed', { at, message: 'it crashed', ...backTo })
    else if (outcome === 'Healthy' || outcome === 'Failed') state = conclude(state, commit, outcome, { at })
    else if (isBack)
      state = conclude(state, commit, outcome === 'RolledBack' ? 'RolledBack' : 'RollbackFailed', {
        at,
        message: 'it crashed',
        ...backTo,
      })
  }
  return state
}

const outcomes = (state: RolloutState): string =>
  state.revisions.map(({ revision: { commit }, outcome }) => `${commit}:${outcome}`).join(' ')

describe('the next revision', () => {
  test('takes the place of what is under way, which is superseded', () => {
    expect(outcomes(history('a:Healthy b c'))).toBe('a:Healthy b:Superseded c:Pending')
  })
  test('takes the place of a way back, of which only the failure is known', () => {
    const state = history('a:Healthy b:GoingBack c')
    expect(outcomes(state)).toBe('a:Healthy b:Failed c:Pending')
    expect(isBusy(conclude(state, 'c', 'Healthy', { at }))).toBe(false)
    // Its content has not been judged to be undone: something else came.
    expect(state.revisions[1]).not.toHaveProperty('backTo')
  })
  test.each([
    ['a:Healthy', 'a', 'a'],
    ['a:Healthy b', 'b', 'a'],
    ['a:Healthy b:Failed', 'b', 'a'],
    ['a:Healthy b:RolledBack', 'a', 'a'],
    ['a', 'a', undefined],
    ['a:Healthy', 'unknown', 'unknown'],
  ])('after %s with %s in force is counted from %s', (text, inForce, base) => {
    expect(findBase(history(text), inForce)).toBe(base)
  })
})

describe('the way back', () => {
  test.each([
    ['a:Healthy b', 'b', 'a'],
    ['a:Healthy b:Healthy c', 'c', 'b'],
    ['a:Healthy b:RolledBack c', 'c', 'a'],
    ['a:Healthy b:Failed c', 'c', 'a'],
    ['a:Healthy b c', 'c', 'a'],
    ['a', 'a', undefined],
    ['a:Failed b', 'b', undefined],
    ['a:Healthy', 'a', undefined],
  ])('of %s from %s leads to %s', (text, from, to) => {
    expect(findWayBack(history(text), from)?.revision.commit).toBe(to)
  })
  test('is kept, however many revisions fail after it', () => {
    const names = Array.from({ length: 120 }, (_, index) => `b${index}:RolledBack`)
    const state = history(['a:Healthy', ...names, 'c'].join(' '))
    expect(findWayBack(state, 'c')?.revision.commit).toBe('a')
    expect(state.revisions).toHaveLength(50)
    expect(findNeeded(state)).toEqual(['a'])
  })

  test('needs the tag that led to it, whose signature is verified again', () => {
    const tagged = { ...revision('a'), referenceId: 'tag' }
    const begun = begin(noRevisions, { revision: tagged, changed: [], at })
    const state = begin(conclude(begun, 'a', 'Healthy', { at }), { revision: revision('b'), changed: [], at })
    expect(findNeeded(state)).toEqual(['a', 'tag'])
  })
})

describe('a revision', () => {
  test.each([
    ['that is new', 'a:Healthy', 'b', 'b', true],
    ['that was rolled back', 'a:Healthy b:RolledBack', 'b', 'b', false],
    ['with the content of one that was rolled back', 'a:Healthy b:RolledBack', 'c', 'b', false],
    ['with that content after another failed too', 'a:Healthy b:RolledBack c:RolledBack', 'd', 'b', false],
    ['with that content after another became healthy', 'a:Healthy b:RolledBack c:Healthy', 'd', 'b', true],
    ['that is going back', 'a:Healthy b:GoingBack', 'b', 'b', false],
    ['whose way back failed', 'a:Healthy b:RollbackFailed', 'b', 'b', false],
    ['that failed and stays', 'a:Failed', 'a', 'a', true],
    ['that was interrupted before it came into force', 'a:Healthy b', 'b', 'b', true],
  ])('%s (%s, then %s of %s) may come into force: %s', (_what, text, commit, tree, may) => {
    expect(findRefusal(history(text), { commit, tree }) === undefined).toBe(may)
  })
  test('that failed is not tried again because a newer one came on the way back', () => {
    const state = history('a:Healthy b:GoingBack@tree c:RolledBack')
    expect(findRefusal(state, revision('d', 'tree'))).toContain('the same content, in b,')
    expect(findRefusal(goOn(state, { retries: true }), revision('d', 'tree'))).toBeUndefined()
  })

  test('waits while a person has chosen another', () => {
    const state = { ...history('a:Healthy b:Healthy'), pinned: 'a' }
    expect(findRefusal(state, revision('c'))).toMatch(/^revision a was chosen with reeve rollback/)
    expect(findRefusal(state, revision('a'))).toBeUndefined()
    expect(findRefusal(goOn(state, { retries: false }), revision('c'))).toBeUndefined()
  })
  test('that failed may be tried again once a person says so', () => {
    const state = history('a:Healthy b:RolledBack')
    expect(findRefusal(goOn(state, { retries: false }), revision('b'))).toContain('it failed on this host: it crashed')
    expect(findRefusal(goOn(state, { retries: true }), revision('b'))).toBeUndefined()
    expect(outcomes(goOn(state, { retries: true }))).toBe('a:Healthy b:RolledBack')
  })
  test('keeps the names of what it changes while that is judged', () => {
    const changed = Array.from({ length: 80 }, (_, index) => `f${index}`)
    const begun = begin(history('a:Healthy'), { revision: revision('b'), changed, at, base: 'a' })
    const back = conclude(begun, 'b', 'Failed', { at, backTo: 'a' })
    expect(currentOf(back)?.changed).toHaveLength(80)
    const done = currentOf(conclude(back, 'b', 'RolledBack', { at, backTo: 'a' }))
    expect([done?.changed.length, done?.changedCount]).toEqual([50, 80])
  })
})

describe('after the loss of the state', () => {
  const former = { inForce: revision('a'), takenBack: revision('b', 'tree') }
  const state = recover(noRevisions, former, at)

  test('what was in force is the way back', () => {
    expect(findWayBack(state, '')?.revision).toEqual(former.inForce)
    expect(findNeeded(state)).toContain('a')
  })

  test('what was taken back is not tried again, nor is its content in another commit', () => {
    expect(findRefusal(state, revision('b', 'tree'))).toMatch(/^it failed on this host: .*lost/)
    expect(findRefusal(state, revision('c', 'tree'))).toMatch(/^the same content, in b, failed/)
    expect(findRefusal(state, revision('c'))).toBeUndefined()
  })

  test('what is remembered all the same stays', () => {
    const known = history('x:Healthy')
    expect(recover(known, former, at)).toBe(known)
  })
})

test('a conclusion replaces the message and the hold of the one before', () => {
  const held = conclude(history('a'), 'a', 'Failed', { at, message: 'it crashed', isHeld: true })
  expect(currentOf(held)).toMatchObject({ outcome: 'Failed', message: 'it crashed', isHeld: true })
  const healthy = currentOf(conclude(held, 'a', 'Healthy', { at }))
  expect(healthy).not.toHaveProperty('message')
  expect(healthy).not.toHaveProperty('isHeld')
})

test('an update changes one record', () => {
  const state = update(history('a:Healthy b'), 'b', record => ({ ...record, steps: 3 }))
  expect(state.revisions.map(({ steps }) => steps)).toEqual([0, 3])
})
