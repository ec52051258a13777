import { describe, expect, test } from 'vitest'
import type { OnChange } from '../../../../src/core/model/facility.ts'
import type { Observed } from '../../../../src/core/state/observed.ts'
import { bytesOf, type Declaration, definitionDigest, sha256 } from '../../../simulation/declaration.ts'
import {
  acts,
  asDeclared,
  definitionPathOf,
  madeFrom,
  notThere,
  type PlanningCase,
  planCases,
  planOne,
  unowned,
  withFile,
  withoutRecord,
} from '../../../simulation/planning-case.ts'

const web: Declaration = { name: 'web' }
const changed: Declaration = { name: 'web', command: ['/bin/daemon', '--new'] }
const path = '/etc/web.toml'

function withContent(content: string, onChange: OnChange = 'restart', more: Partial<Declaration> = {}): Declaration {
  return { name: 'web', files: [{ path, content, onChange }], ...more }
}

/** Observed state of a process that runs with an older definition or file than the one on disk. */
function withLoaded(row: PlanningCase, loaded: Observed['loaded']): PlanningCase {
  const { loaded: _before, ...observed } = row.observed as Observed
  return { ...row, observed: { ...observed, ...(loaded ? { loaded } : {}) } }
}

describe('a definition', () => {
  test('E3: that is as declared needs no step', () => {
    expect(planOne(asDeclared(web)).change).toBe('none')
    expect(planOne(asDeclared(withContent('a'))).steps).toEqual([])
    expect(planOne(withoutRecord(asDeclared(withContent('a')))).steps).toEqual([])
  })

  test('E12: that changed in the manifest is installed, and the service restarted once', () => {
    const plan = planOne(madeFrom(changed, web))
    expect(plan.change).toBe('change')
    expect(acts(plan)).toEqual(['install definition-changed', 'restart definition-changed'])
    expect(plan.steps[0]?.diff).toContain('+      "--new"')
  })

  test('that was edited on the host is drift', () => {
    const row = asDeclared(web)
    const edited = madeFrom(web, changed)
    const plan = planOne(withLoaded({ ...row, files: edited.files }, edited.observed?.loaded))
    expect(plan.change).toBe('repair')
    expect(acts(plan)).toEqual(['install definition-drift', 'restart definition-drift'])
    expect(acts(planOne({ ...row, files: edited.files })), 'the process runs as declared').toEqual([
      'install definition-drift',
    ])
  })

  test('that differs, with no record of the last applied state, is a change', () => {
    expect(planOne(withoutRecord(madeFrom(changed, web))).change).toBe('change')
    expect(planOne(withoutRecord(asDeclared(web, { state: 'stopped' }))).change).toBe('repair')
    expect(planOne(withoutRecord(madeFrom(withContent('b'), withContent('a')))).change).toBe('change')
  })

  test('E1: with a file that is no longer declared differs, and the plan shows its removal', () => {
    const row = asDeclared(web)
    const extra = '/definitions/extra'
    const definitionFiles = [definitionPathOf(row), extra]
    const left = withFile({ ...row, observed: { ...(row.observed as Observed), definitionFiles } }, extra, 'old\n')
    const plan = planOne(left)
    expect(plan.change).toBe('repair')
    expect(acts(plan)).toEqual(['install definition-drift'])
    expect(plan.steps[0]?.diff).toBe('--- /definitions/extra\n+++ /dev/null\n@@ -1 +0,0 @@\n-old\n')
    const newer = madeFrom(changed, web)
    expect(acts(planOne({ ...newer, observed: { ...(newer.observed as Observed), definitionFiles } }))).toEqual([
      'install definition-changed',
      'restart definition-changed',
    ])
  })

  test('that was deleted while the service runs is restored without touching the process', () => {
    const row = asDeclared(web)
    const { ownership: _ownership, ...observed } = row.observed as Observed
    const deleted = { ...withFile(row, definitionPathOf(row), { kind: 'absent' }), observed }
    expect(acts(planOne(deleted))).toEqual(['install definition-drift'])
    expect(acts(planOne({ ...deleted, observed: { ...observed, state: 'absent' } }))).toEqual([
      'install definition-drift',
      'start stopped',
    ])
  })

  test('that was deleted leaves its files ours, by the same record', () => {
    const row = asDeclared(withContent('a'))
    const { ownership: _ownership, ...observed } = row.observed as Observed
    const deleted = { ...withFile(row, definitionPathOf(row), { kind: 'absent' }), observed }
    const plan = planOne(withFile(deleted, path, 'edited'))
    expect(plan.blocked).toBeUndefined()
    expect(acts(plan)).toEqual(['install definition-drift', 'write-file file-drift'])
    const older = { ...deleted, applied: { ...deleted.applied, digest: 'older' } } as PlanningCase
    expect(planOne(older).blocked, 'though its manifest was edited meanwhile').toBeUndefined()
    const other = { ...deleted, applied: { ...deleted.applied, files: ['/etc/other'] } } as PlanningCase
    expect(planOne(other).blocked, 'this file was not ours').toContain('adopt: true')
  })

  test('of which only the mode differs is installed, and the diff shows the mode', () => {
    const row = asDeclared(web)
    const at = definitionPathOf(row)
    const file = row.files.get(at)
    if (!file) throw new Error('expected a definition')
    const plan = planOne(withFile(row, at, { ...file, mode: 0o666 }))
    expect(acts(plan)).toEqual(['install definition-drift'])
    expect(plan.steps[0]?.diff).toBe('mode 0666 → 0644\n')
  })

  test('of which only the marker differs (dependsOn, prune) is installed without a restart', () => {
    const plan = planOne(madeFrom({ ...web, prune: false }, web))
    expect(acts(plan)).toEqual(['install definition-changed'])
  })

  test('that its supervisor has not loaded yet is installed again (E4)', () => {
    const row = notThere(web)
    const written = { ...asDeclared(web), observed: row.observed }
    const plan = planOne(withoutRecord(written))
    expect(plan.blocked).toBeUndefined()
    expect(acts(plan)).toEqual(['install new', 'enable new', 'start new'])
  })
})

describe('the required restart of a running process', () => {
  test('E4: follows from the definition that the process has loaded, if the definition is already written', () => {
    const row = withLoaded(asDeclared(changed), madeFrom(changed, web).observed?.loaded)
    const plan = planOne(row)
    expect(plan.change).toBe('repair')
    expect(acts(plan)).toEqual(['restart out-of-date'])
    expect(acts(planOne(withoutRecord(row))), 'the record has no say in it').toEqual(['restart out-of-date'])
  })

  test('E4: follows from the files that the process has loaded, if they are already written', () => {
    const row = asDeclared(withContent('new'))
    const loaded = madeFrom(withContent('new'), withContent('old')).observed?.loaded
    expect(acts(planOne(withLoaded(row, loaded)))).toEqual(['restart out-of-date'])
  })

  test('is assumed where the provider cannot tell what was loaded', () => {
    expect(acts(planOne(withLoaded(asDeclared(web), undefined)))).toEqual(['restart out-of-date'])
    const starting = withLoaded(asDeclared(web, { state: 'starting' }), undefined)
    expect(acts(planOne(starting)), 'its process is there already').toEqual(['restart out-of-date'])
    const reloads = asDeclared({ ...web, reload: true, onChange: 'reload' }, { state: 'starting' })
    expect(acts(planOne(withLoaded(reloads, undefined)))).toEqual(['reload out-of-date'])
  })

  test('is not needed by a stopped service', () => {
    const stopped = { ...web, state: 'stopped' } as const
    expect(acts(planOne(withLoaded(asDeclared(stopped), undefined)))).toEqual([])
  })

  const rows: [definition: OnChange, file: OnChange, reload: boolean, expected: string[]][] = [
    ['restart', 'none', true, ['restart']],
    ['restart', 'reload', true, ['restart']],
    ['restart', 'restart', false, ['restart']],
    ['reload', 'none', true, ['reload']],
    ['reload', 'none', false, ['restart']],
    ['reload', 'reload', true, ['reload']],
    ['reload', 'restart', true, ['restart']],
    ['none', 'restart', true, ['restart']],
    ['none', 'reload', true, ['reload']],
    ['none', 'reload', false, ['restart']],
    ['none', 'none', true, []],
  ]
  for (const [definition, file, reload, expected] of rows) {
    const name = `definition ${definition}, file ${file}, ${reload ? 'with' : 'without'} a reload`
    test(`E12: with onChange ${name} is ${expected.join() || 'nothing'}, after all writes`, () => {
      const older = withContent('old', file, { onChange: definition, reload })
      const newer = { ...withContent('new', file, { onChange: definition, reload }), command: ['/bin/daemon', '2'] }
      expect(planOne(madeFrom(newer, older)).steps.map(step => step.verb)).toEqual([
        'install',
        'write-file',
        ...expected,
      ])
    })
  }

  test('E17: for a change of native configuration alone: the provider decides between reload and restart', () => {
    const native: Declaration = { name: 'web', native: true, onChange: 'reload' }
    const verbs = (observed: Partial<Observed>) =>
      planOne(madeFrom({ ...native, command: ['/bin/other'] }, native, observed)).steps.map(step => step.verb)
    expect(verbs({})).toEqual(['install', 'reload'])
    expect(verbs({ canReload: false })).toEqual(['install', 'restart'])
  })

  test('follows the reload that the manifest declares, not the one installed before', () => {
    const [older, newer] = [web, { ...web, reload: true, onChange: 'reload' } as const]
    const plan = planOne(madeFrom({ ...newer, command: ['/bin/other'] }, older, { canReload: false }))
    expect(plan.steps.map(step => step.verb)).toEqual(['install', 'reload'])
  })

  test('follows the onChange of a file if only the file changed, not that of the definition', () => {
    const plan = planOne(
      madeFrom(withContent('new', 'reload', { reload: true }), withContent('old', 'reload', { reload: true })),
    )
    expect(acts(plan)).toEqual(['write-file file-changed', 'reload file-changed'])
  })

  test('applies to a service of unmanaged state, which is not started', () => {
    const unmanaged = { ...web, state: 'unmanaged' } as const
    const newer = { ...changed, state: 'unmanaged' } as const
    expect(acts(planOne(madeFrom(newer, unmanaged)))).toEqual([
      'install definition-changed',
      'restart definition-changed',
    ])
    expect(acts(planOne(madeFrom(newer, unmanaged, { state: 'stopped' })))).toEqual(['install definition-changed'])
  })

  test('also covers a lost supervisor and a failing health check, which a reload does not mend', () => {
    const older = withContent('old', 'reload', { reload: true, onChange: 'reload' })
    const newer = withContent('new', 'reload', { reload: true, onChange: 'reload' })
    expect(acts(planOne(madeFrom(newer, older, { supervised: false })))).toEqual([
      'write-file file-changed',
      'start unsupervised',
      'reload file-changed',
    ])
    const check = { type: 'tcp', host: '127.0.0.1', port: 1 } as const
    const health = {
      check,
      interval: 1,
      timeout: 1,
      failureThreshold: 1,
      startupTimeout: 1,
      onFailure: 'restart',
    } as const
    const ill = planOne(madeFrom({ ...newer, health }, { ...older, health }), { unhealthy: new Set(['web']) })
    expect(acts(ill)).toEqual(['write-file file-changed', 'restart unhealthy'])
  })

  test('comes before what is unsupervised or unhealthy: one restart mends all', () => {
    const row = madeFrom(changed, web, { supervised: false })
    expect(acts(planOne(row, { unhealthy: new Set(['web']) }))).toEqual([
      'install definition-changed',
      'restart definition-changed',
    ])
  })
})

describe('a manifest that changes one part while the host changed another reports both, for', () => {
  const path = '/etc/web.toml'
  const older: Declaration = { name: 'web', command: ['/bin/one'], enabled: true, files: [{ path, content: 'a' }] }

  test('a file', () => {
    const newer = madeFrom({ ...older, command: ['/bin/two'] }, older)
    const reasons = acts(planOne(withFile(newer, path, 'edited')))
    expect(reasons).toEqual(['install definition-changed', 'write-file file-drift', 'restart definition-changed'])
    const mode = { ...older, files: [{ path, content: 'a', mode: 0o600 }] }
    expect(acts(planOne(madeFrom(mode, older)))).toEqual(['write-file file-changed'])
    const both = madeFrom({ ...older, files: [{ path, content: 'b' }] }, older)
    expect(acts(planOne(withFile(both, path, 'edited')))[0]).toBe('write-file file-changed')
  })

  test('the definition', () => {
    const newer = madeFrom({ ...older, files: [{ path, content: 'b' }] }, older)
    const definition = newer.target.definition?.files[0]?.path ?? ''
    expect(acts(planOne(withFile(newer, definition, 'edited')))).toEqual([
      'install definition-drift',
      'write-file file-changed',
      'restart definition-drift',
    ])
  })

  test('the enablement', () => {
    expect(acts(planOne(madeFrom({ ...older, command: ['/bin/two'] }, older, { enabled: false })))[1]).toBe(
      'enable enablement-drift',
    )
    expect(acts(planOne(madeFrom({ ...older, enabled: false }, older)))).toEqual(['disable enablement'])
  })

  test('a record without parts, which is compared as a whole', () => {
    const { applied, ...row } = withFile(madeFrom({ ...older, command: ['/bin/two'] }, older), path, 'edited')
    const { parts: _, ...whole } = applied ?? expect.fail()
    expect(acts(planOne({ ...row, applied: whole }))[1]).toBe('write-file file-changed')
  })

  test('a pass cut off after writing the file: the file then counts as changed on the host', () => {
    const { applied: _, ...row } = withFile(asDeclared(older), path, 'edited')
    const digest = row.target.files[0]?.digest ?? ''
    const claims = new Map([[path, { isFulfilled: true, contents: [digest] }]])
    expect(acts(planOne(row, { claims }))[0]).toBe('write-file file-drift')
    const failed = new Map([[path, { isFulfilled: true, contents: [sha256('edited'), digest] }]])
    expect(acts(planOne(row, { claims: failed }))[0]).toBe('write-file file-changed')
  })
})

describe('a file', () => {
  test('E12: is compared by content', () => {
    const plan = planOne(madeFrom(withContent('new\n'), withContent('old\n')))
    expect(acts(plan)).toEqual(['write-file file-changed', 'restart file-changed'])
    expect(plan.steps[0]).toMatchObject({ id: 'web/write-file:/etc/web.toml', path })
    expect(plan.steps[0]?.diff).toMatchInlineSnapshot(`
      "--- /etc/web.toml
      +++ /etc/web.toml
      @@ -1 +1 @@
      -old
      +new
      "
    `)
  })

  test('that was deleted or edited on the host is drift, without a restart of an up-to-date process', () => {
    const row = asDeclared(withContent('a'))
    expect(acts(planOne(withFile(row, path, { kind: 'absent' })))).toEqual(['write-file file-drift'])
    expect(acts(planOne(withFile(row, path, 'edited')))).toEqual(['write-file file-drift'])
    const loaded = { definition: definitionDigestOf(row), files: { [path]: 'the edited one' } }
    expect(acts(planOne(withLoaded(withFile(row, path, 'edited'), loaded)))).toEqual([
      'write-file file-drift',
      'restart file-drift',
    ])
  })

  test('is compared by mode, owner and group too, and the diff names the one that differs', () => {
    const row = asDeclared(withContent('a'))
    const file = { kind: 'file', content: bytesOf('a'), mode: 0o644, uid: 0, gid: 0 } as const
    const cases: [Partial<typeof file> | { mode: number } | { uid: number } | { gid: number }, string][] = [
      [{ mode: 0o666 }, 'mode 0666 → 0644\n'],
      [{ uid: 33 }, 'owner 33:0 → 0:0\n'],
      [{ gid: 33 }, 'owner 0:33 → 0:0\n'],
    ]
    for (const [differs, diff] of cases) {
      const plan = planOne(withFile(row, path, { ...file, ...differs }))
      expect(acts(plan), diff).toEqual(['write-file file-drift'])
      expect(plan.steps[0]?.diff).toBe(diff)
    }
    expect(planOne(withFile(row, path, file)).steps).toEqual([])
  })

  test('that is added is written after the definition, whose marker names it', () => {
    const plan = planOne(withFile(madeFrom(withContent('a'), web), path, { kind: 'absent' }))
    expect(acts(plan)).toEqual(['install definition-changed', 'write-file new', 'restart definition-changed'])
  })

  test('that is dropped is removed while the marker still names it, and the process reads the rest again', () => {
    const plan = planOne(madeFrom(web, withContent('a')))
    expect(acts(plan)).toEqual(['remove-file file-dropped', 'install definition-changed', 'restart definition-changed'])
    expect(plan.steps[0]?.path).toBe(path)
    const quiet = planOne(madeFrom({ ...web, onChange: 'none' }, withContent('a', 'restart', { onChange: 'none' })))
    expect(acts(quiet)).toEqual(['remove-file file-dropped', 'install definition-changed'])
  })

  test('E4: that was dropped leaves the restart required until the process has restarted', () => {
    const row = withLoaded(asDeclared(web), madeFrom(web, withContent('a')).observed?.loaded)
    expect(acts(planOne(row))).toEqual(['restart out-of-date'])
    const definition = definitionDigestOf(asDeclared(web))
    const never = withLoaded(asDeclared(web), { definition, files: { [path]: 'absent' } })
    expect(acts(planOne(never)), 'it was not there when the process began').toEqual([])
  })

  test('that is dropped and declared by another facility passes to that one', () => {
    const other: Declaration = { name: 'other', files: [{ path, content: 'a' }] }
    const giver = madeFrom(web, withContent('a'))
    const taker = madeFrom(other, { name: 'other' })
    const plan = planCases([giver, taker])
    expect(plan.facilities.map(acts)).toEqual([
      ['install definition-changed', 'restart definition-changed'],
      ['install definition-changed'],
    ])
    expect(plan.facilities[1]?.blocked).toBeUndefined()
  })

  test('that is dropped needs no marker where Reeve writes no definition', () => {
    const plan = planOne(madeFrom({ name: 'web', command: null }, withContent('a')))
    expect(plan.steps).toEqual([])
  })

  test('whose path holds no regular file blocks the facility, with the reason', () => {
    const row = withFile(asDeclared(withContent('a')), path, { kind: 'other', problem: '/etc/web.toml is a symlink' })
    expect(planOne(row).blocked).toBe("file /etc/web.toml can't be managed: /etc/web.toml is a symlink")
    const own = asDeclared(web)
    const broken = withFile(own, definitionPathOf(own), { kind: 'other', problem: 'it is a directory' })
    expect(planOne(broken).blocked).toBe("its definition can't be written: it is a directory")
  })

  test('problems that block a facility on this host are listed together', () => {
    const plan = planOne(notThere({ name: 'web', problems: ['user web does not exist', 'no such group'] }))
    expect(plan.steps).toEqual([])
    expect(plan.blocked).toBe('user web does not exist; no such group')
  })
})

describe('reasons', () => {
  test('adoption is the reason of the definition and of the restart', () => {
    const adopted = { ...web, adopt: true }
    const row = unowned(adopted)
    const foreign = withFile(row, definitionPathOf(row), 'somebody else wrote this')
    const plan = planOne(foreign)
    expect(plan.change).toBe('add')
    expect(acts(plan)).toEqual(['install adopted', 'restart adopted'])
  })

  test('every reason that planning gives is in the schema', async () => {
    const { default: schema } = await import('../../../../schemas/plan.schema.json', { with: { type: 'json' } })
    const known: readonly string[] = schema.$defs.step.properties.reason.enum
    for (const reason of ['new', 'definition-drift', 'out-of-date', 'unsupervised', 'unhealthy', 'moved', 'pruned']) {
      expect(known).toContain(reason)
    }
  })
})

function definitionDigestOf(row: PlanningCase): string {
  return row.target.definition?.digest ?? definitionDigest({ process: { command: [], restart: '', reload: false } })
}
