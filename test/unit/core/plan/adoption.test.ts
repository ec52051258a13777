import { describe, expect, test } from 'vitest'
import { planText } from '../../../../src/cli/plan-text.ts'
import { plainColors } from '../../../../src/cli/screen.ts'
import { wasThere } from '../../../../src/core/state/file-age.ts'
import type { Observed } from '../../../../src/core/state/observed.ts'
import { bytesOf, type Declaration, sha256 } from '../../../simulation/declaration.ts'
import {
  acts,
  asDeclared,
  definitionPathOf,
  type PlanningCase,
  planCases,
  planOne,
  unowned,
  withFile,
} from '../../../simulation/planning-case.ts'

const path = '/etc/web.toml'
const web: Declaration = { name: 'web', adopt: true }
const startedAt = 1_000_000

/** Observed state of a running service whose definition somebody else wrote. */
function foreign(declaration: Declaration, found: Partial<Observed> = {}): PlanningCase {
  const row = unowned(declaration, { startedAt, ...found })
  return withFile(row, definitionPathOf(row), 'theirs\n')
}

/** Observed adoption of a process that was started with exactly the declared definition. */
function same(declaration: Declaration): Partial<Observed> {
  return { loaded: { definition: unowned(declaration).target.definition?.digest ?? '', files: {} } }
}

function withAge(row: PlanningCase, content: string, changed: number): PlanningCase {
  const file = {
    kind: 'file',
    content: bytesOf(content),
    digest: sha256(content),
    mode: 0o644,
    uid: 0,
    gid: 0,
  } as const
  return withFile(row, path, { ...file, changed })
}

describe('E20: adoption', () => {
  test('of a process that matches the manifest only writes the marker, and the plan says so', () => {
    const row = foreign(web, same(web))
    expect(acts(planOne(row))).toEqual(['install adopted'])
    const text = planText(planCases([row]), { colors: plainColors, width: () => undefined })
    expect(text).toContain("install  adopt: writes Reeve's marker, the service goes on\n")
    expect(text).not.toMatch(/^ {4}restart/m)
  })

  test("of a process that does not match restarts it, with the provider's reason", () => {
    const plan = planOne(foreign(web, { stale: 'web.service changed on disk' }))
    expect(acts(plan)).toEqual(['install adopted', 'restart adopted'])
    expect(plan.steps.map(({ detail }) => detail)).toEqual([
      undefined,
      'to be adopted it has to be restarted: web.service changed on disk',
    ])
    expect(planOne(foreign(web)).steps.map(({ detail }) => detail)).toEqual([undefined, undefined])
  })

  test('of a process that does not match, with onChange none, is not announced as a marker alone', () => {
    const plan = planOne(foreign({ ...web, onChange: 'none' }, { stale: 'web.service changed on disk' }))
    expect(acts(plan)).toEqual(['install adopted'])
    expect(plan.steps[0]?.detail).toBeUndefined()
  })

  test('of a stopped service does not say that the service goes on', () => {
    const plan = planOne(foreign(web, { state: 'stopped' }))
    expect(acts(plan)).toEqual(['install adopted', 'start stopped'])
    expect(plan.steps[0]?.detail).toBeUndefined()
  })

  describe('of a file', () => {
    const declared: Declaration = { ...web, files: [{ path, content: 'a' }] }

    test('older than the start of the process needs no restart: it has been read', () => {
      const row = withAge(foreign(declared, same(declared)), 'a', startedAt - 1_000)
      expect(acts(planOne(row))).toEqual(['install adopted'])
    })

    test('newer than the start, with other content, or of unknown age, needs a restart', () => {
      for (const row of [
        withAge(foreign(declared, same(declared)), 'a', startedAt + 1_000),
        withFile(foreign(declared, same(declared)), path, 'a'),
      ]) {
        expect(acts(planOne(row))).toEqual(['install adopted', 'restart adopted'])
      }
      const other = withAge(foreign(declared, same(declared)), 'b', startedAt - 1_000)
      expect(acts(planOne(other))).toEqual(['install adopted', 'write-file adopted', 'restart adopted'])
    })

    test('with a record of what was read is compared by the record, not by its age', () => {
      const row = asDeclared(declared, { startedAt })
      expect(acts(planOne(withAge(row, 'a', startedAt + 1_000)))).toEqual([])
      const read = { ...row.observed?.loaded, definition: row.target.definition?.digest ?? '', files: { [path]: 'x' } }
      const stale = { ...row, observed: { ...(row.observed as Observed), loaded: read } }
      expect(acts(planOne(withAge(stale, 'a', startedAt - 1_000)))).toEqual(['restart out-of-date'])
    })
  })

  test('a file stamped just before the start may have come after it, as kernel timestamps lag', () => {
    expect([wasThere(900, 1_000), wasThere(995, 1_000), wasThere(1_000, 1_000)]).toEqual([true, false, false])
  })
})

test('a definition in the format of an earlier version is a change, not drift, and its service goes on', () => {
  const row = asDeclared({ name: 'web' }, { isEarlierForm: true })
  const plan = planOne(withFile(row, definitionPathOf(row), 'as it was written before\n'))
  expect([plan.change, acts(plan)]).toEqual(['change', ['install definition-changed']])
  expect(plan.steps[0]?.detail).toBe('an earlier version of Reeve wrote it, the service goes on')
})
