import { describe, expect, test } from 'vitest'
import { announceClaims, hasAnnounced, keepClaims, observeClaims } from '../../../../src/core/plan/claim-keeping.ts'
import { type FileClaim, findKeepReason, isWritten } from '../../../../src/core/state/file-claim.ts'
import type { Observed, ObservedFile } from '../../../../src/core/state/observed.ts'
import { locationKey, type Snapshot } from '../../../../src/core/state/snapshot.ts'
import { type Declaration, OWNER, resolveFacility, sha256 } from '../../../simulation/declaration.ts'
import {
  acts,
  asDeclared,
  facilityIn,
  notThere,
  ownedAt,
  planCases,
  planOne,
  withFile,
} from '../../../simulation/planning-case.ts'

const path = '/etc/web.conf'
const web: Declaration = { name: 'web', files: [{ path, content: 'ours\n' }] }
const ours = sha256('ours\n')

function file(content: string): ObservedFile {
  return { kind: 'file', digest: sha256(content), mode: 0o644, uid: 0, gid: 0 }
}

function claim(isFulfilled: boolean, ...contents: readonly string[]): FileClaim {
  return { isFulfilled, contents: contents.map(sha256) }
}

describe('E19: a claim on a file', () => {
  const rows: readonly [
    what: string,
    claim: FileClaim | undefined,
    found: ObservedFile,
    overwritten: boolean,
    kept: string | undefined,
  ][] = [
    ['nothing is there', claim(false, 'ours\n'), { kind: 'absent' }, true, undefined],
    ['it was written', claim(true, 'ours\n'), file('ours\n'), true, undefined],
    [
      'it was written and edited',
      claim(true, 'ours\n'),
      file('theirs\n'),
      true,
      'somebody has changed it since Reeve wrote it',
    ],
    ['it was written, and an update failed', claim(true, 'ours\n', 'new\n'), file('ours\n'), true, undefined],
    ['it was written, and a crash came before it was noted', claim(false, 'ours\n'), file('ours\n'), true, undefined],
    ['it was never written', claim(false, 'ours\n'), file('theirs\n'), false, 'Reeve did not write it'],
    ['nothing is known', undefined, file('theirs\n'), true, 'Reeve has no record of what it wrote there'],
    [
      'something else is there',
      claim(true, 'ours\n'),
      { kind: 'other', problem: 'it is a pipe' },
      true,
      'it is a pipe',
    ],
    ['it can’t be removed', claim(true, 'ours\n'), { ...file('ours\n'), keep: 'it is mounted' }, true, 'it is mounted'],
  ]
  for (const [what, known, found, overwritten, kept] of rows) {
    test(`where ${what}: overwritten ${overwritten}, kept: ${kept ?? 'no'}`, () => {
      expect(isWritten(known, found)).toBe(overwritten)
      expect(findKeepReason(known, found)).toBe(kept)
    })
  }
})

describe('E19: a claim', () => {
  const owned = ownedAt(web)
  const target = resolveFacility(web)

  function worldOf(found: ObservedFile, more: Partial<Observed> = {}, isOwned = true): Snapshot {
    return {
      services: new Map([[locationKey(target.facility), { ...owned.observed, ...more }]]),
      owned: isOwned ? [owned.location] : [],
      unavailable: new Map(),
      files: new Map([[path, found]]),
    }
  }

  const observe = (
    known: FileClaim | undefined,
    found: ObservedFile,
    more: Partial<Observed> = {},
    targets = [target],
  ) => observeClaims(new Map(known && [[path, known]]), worldOf(found, more), targets, OWNER).get(path)

  test('of a file that is as declared is fulfilled, whatever was known', () => {
    for (const known of [undefined, claim(false, 'ours\n'), claim(true, 'older\n')]) {
      expect(observe(known, file('ours\n'))).toEqual(claim(true, 'ours\n'))
    }
  })

  test('of a file about to be written is fulfilled once its content is there', () => {
    expect(observe(claim(false, 'older\n', 'old\n'), file('old\n'))).toEqual(claim(true, 'older\n', 'old\n'))
    expect(observe(claim(false, 'old\n'), file('theirs\n'))).toEqual(claim(false, 'old\n'))
  })

  test('E18: without a record is fulfilled by what the service has loaded', () => {
    const loaded = { loaded: { definition: 'x', files: { [path]: sha256('old\n') } } }
    expect(observe(undefined, file('old\n'), loaded, [])).toEqual(claim(true, 'old\n'))
    expect(observe(undefined, file('theirs\n'), loaded, [])).toBeUndefined()
    expect(observe(claim(false, 'x'), file('old\n'), loaded, [])).toEqual(claim(false, 'x'))
  })

  test('of a file that no marker of ours names is dropped', () => {
    expect(observeClaims(new Map(), worldOf(file('ours\n'), {}, false), [target], OWNER).size).toBe(0)
    expect(observeClaims(new Map(), worldOf(file('ours\n')), [target], 'another').size).toBe(0)
  })

  const writing = planOne(notThere(web))

  function announce(known: FileClaim | undefined, isOwned: boolean, files: readonly string[] = []) {
    const applied = new Map([['web', { supervisor: 'alpha', service: 'web', digest: '', files }]])
    const snapshot = worldOf({ kind: 'absent' }, {}, isOwned)
    const claims = announceClaims(new Map(known && [[path, known]]), [writing], [target], {
      snapshot,
      owner: OWNER,
      applied,
    })
    return claims.get(path)
  }

  test("before a write is recorded as unfulfilled, unless the file was Reeve's before", () => {
    expect(announce(undefined, false)).toEqual(claim(false, 'ours\n'))
    expect(announce(undefined, true)).toEqual(claim(true, 'ours\n'))
    expect(announce(undefined, false, [path])).toEqual(claim(true, 'ours\n'))
    expect(announce(claim(false, 'old\n'), true)).toEqual(claim(false, 'old\n', 'ours\n'))
    expect(announce(claim(true, 'old\n'), true)).toEqual(claim(true, 'old\n', 'ours\n'))
    const many = claim(true, ...Array.from({ length: 20 }, (_, index) => `${index}`))
    expect(announce(many, true)?.contents).toHaveLength(8)
    expect(announce(many, true)?.contents).toContain(ours)
  })

  test('of a plan is announced once all its writes are recorded', () => {
    expect(hasAnnounced(new Map(), writing, target)).toBe(false)
    expect(hasAnnounced(new Map([[path, claim(false, 'ours\n')]]), writing, target)).toBe(true)
    expect(hasAnnounced(new Map(), planOne(asDeclared(web)), target)).toBe(true)
    // Copies of the overwritten files have to exist as well.
    const known = claim(false, 'ours\n')
    const found = { digest: sha256('theirs\n'), mode: 0o644, uid: 0, gid: 0, isKept: true }
    const wanted = new Map([[path, { ...known, found }]])
    expect(hasAnnounced(new Map([[path, known]]), writing, target, wanted)).toBe(false)
    expect(hasAnnounced(wanted, writing, target, wanted)).toBe(true)
  })

  test('is forgotten with its marker, unless the file is in transit or unreadable', () => {
    const claims = new Map([[path, claim(true, 'ours\n')]])
    const gone = { snapshot: worldOf({ kind: 'absent' }, {}, false), owner: OWNER }
    expect(keepClaims(claims, { ...gone, also: new Set() }).size).toBe(0)
    expect(keepClaims(claims, { ...gone, also: new Set([path]) })).toEqual(claims)
    expect(keepClaims(claims, { ...gone, snapshot: worldOf({ kind: 'absent' }), also: new Set() })).toEqual(claims)
    const blind: Snapshot = { ...gone.snapshot, unavailable: new Map([['beta', 'it is away']]) }
    expect(keepClaims(claims, { owner: OWNER, snapshot: blind, also: new Set() })).toEqual(claims)
  })
})

describe('E19: a plan', () => {
  const unwritten = new Map([[path, claim(false, 'ours\n')]])

  test("blocks the facility for a stranger's file that a marker only claims, unless it is adopted", () => {
    const found = withFile(asDeclared(web), path, 'theirs\n')
    expect(planOne(found, { claims: unwritten }).blocked).toBe(
      `file ${path} exists and was not written by Reeve, which did not succeed in writing it: declare adopt: true to take it over, or another path`,
    )
    const adopting = withFile(asDeclared({ ...web, adopt: true }), path, 'theirs\n')
    expect(acts(planOne(adopting, { claims: unwritten }))).toContain('write-file file-drift')
    const drifted = new Map([[path, claim(true, 'ours\n')]])
    expect(acts(planOne(found, { claims: drifted }))).toEqual(['write-file file-drift'])
  })

  test('E18: recognizes its files by content if the marker was deleted before anything was applied', () => {
    const row = withFile(notThere(web), path, file('ours\n'))
    const claims = new Map([[path, claim(true, 'ours\n')]])
    expect(planOne(row, { claims }).blocked).toBeUndefined()
    const theirs = withFile(notThere(web), path, file('theirs\n'))
    expect(planOne(theirs, { claims }).blocked).toContain('is not managed by Reeve')
    expect(planOne(row, { claims: new Map([[path, claim(false, 'ours\n')]]) }).blocked).toContain(
      'is not managed by Reeve',
    )
  })

  test('removes a dropped, pruned or moved file only if Reeve wrote it', () => {
    const withoutFiles = withFile(asDeclared({ name: 'web' }), path, 'theirs\n')
    const { location, key, observed } = ownedAt(web)
    const old = ownedAt({ ...web, supervisor: 'beta' })
    for (const [known, isRemoved] of [
      [unwritten, false],
      [new Map([[path, claim(true, 'theirs\n')]]), true],
    ] as const) {
      const files = new Map([[path, file('theirs\n')]])
      const ownership = location.ownership
      const dropped = planOne({ ...withoutFiles, observed: { ...observed, ownership } }, { claims: known })
      const row = { ...withoutFiles, target: resolveFacility({ name: 'other' }), observed: undefined, files }
      const pruned = facilityIn(
        planCases([row], { owned: [location], services: { [key]: observed }, claims: known }),
        'web',
      )
      const moved = planOne(withFile(notThere({ name: 'web' }), path, 'theirs\n'), {
        owned: [old.location],
        services: { [old.key]: old.observed },
        claims: known,
      })
      for (const plan of [dropped, pruned, moved]) {
        expect(plan.steps.some(({ verb }) => verb === 'remove-file')).toBe(isRemoved)
        expect(plan.kept).toEqual(isRemoved ? undefined : [{ path, why: 'Reeve did not write it' }])
      }
    }
  })

  test('releases no file of a facility that cannot start yet', () => {
    const { location, key, observed } = ownedAt({ ...web, supervisor: 'beta' })
    const found = withFile(notThere({ name: 'web', dependsOn: ['db'] }), path, 'theirs\n')
    const more = { owned: [location], services: { [key]: observed }, claims: unwritten }
    const plan = planCases([found, notThere({ name: 'db', problems: ['it cannot be had'] })], more)
    expect(facilityIn(plan, 'web').blocked).toContain('it depends on db')
    expect(facilityIn(plan, 'web').kept).toBeUndefined()
  })
})
