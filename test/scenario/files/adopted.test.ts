import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { createEngineLab, type EngineLab, longRun, planOf, type Spec, stepsOf } from '../../labs/engine-lab.ts'

vi.setConfig({ testTimeout: 240_000 })

const isRoot = process.getuid?.() === 0
const theirs = 'theirs\npassword=hush\n'

function adopting(path: string, more: Spec = {}, file: Spec = {}): Spec {
  return { process: longRun(), adopt: true, files: [{ path, content: 'ours\n', ...file }], ...more }
}

/** A stranger's file with unusual content, mode and owner. */
function createTheirs(lab: EngineLab, name = 'shared.conf'): string {
  const path = lab.path(name)
  writeFileSync(path, theirs)
  chmodSync(path, 0o604)
  return path
}

function describeFile(path: string): unknown {
  const { mode, uid, gid } = statSync(path)
  return [readFileSync(path, 'utf8'), mode & 0o7777, uid, gid]
}

function copiesIn(lab: EngineLab): string[] {
  return existsSync(lab.path('state', 'adopted')) ? readdirSync(lab.path('state', 'adopted')) : []
}

describe('the file that was there before adoption', () => {
  test.concurrent('is restored as it was when the facility is removed', async () => {
    await using lab = createEngineLab()
    const path = createTheirs(lab)
    const before = describeFile(path)
    lab.declare('web', adopting(path))
    const adoption = await lab.apply()
    expect(adoption.failed).toEqual([])
    expect(readFileSync(path, 'utf8')).toBe('ours\n')
    const [copy = ''] = copiesIn(lab)
    expect(statSync(lab.path('state', 'adopted')).mode & 0o7777).toBe(0o700)
    expect(statSync(lab.path('state', 'adopted', copy)).mode & 0o7777).toBe(0o600)
    expect(readFileSync(lab.path('state', 'record.json'), 'utf8')).not.toContain('hush')
    lab.withdraw('web')
    expect(stepsOf(await lab.plan())).toEqual(['web/stop', `web/restore-file:${path}`, 'web/remove'])
    expect((await lab.apply()).failed).toEqual([])
    expect(describeFile(path)).toEqual(before)
    expect(stepsOf(await lab.plan())).toEqual([])
    expect(copiesIn(lab)).toEqual([])
  })

  test.concurrent('is restored after changes too, when the manifest drops the file, and by the controller', async () => {
    await using lab = createEngineLab()
    const path = createTheirs(lab)
    const before = describeFile(path)
    lab.declare('web', adopting(path))
    const controller = await lab.run({ allowRemovals: 1 })
    await controller.ready('web')
    lab.declare('web', adopting(path, {}, { content: 'ours, again\n' }))
    await eventually('the file to be written again', () => readFileSync(path, 'utf8') === 'ours, again\n')
    await controller.ready('web')
    lab.declare('web', { process: longRun() })
    await eventually('the file to be as it was found', () => isDeepStrictEqual(describeFile(path), before))
    await controller.ready('web')
    await controller.stop()
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test.concurrent('is deleted with onRemove: delete, and restored without it', async () => {
    await using lab = createEngineLab()
    const [one, two] = [createTheirs(lab, 'one'), createTheirs(lab, 'two')]
    lab.declare('a', adopting(one, {}, { onRemove: 'delete' }))
    lab.declare('b', adopting(two, { process: longRun(1) }))
    await lab.apply()
    // The last declaration counts.
    lab.declare('b', adopting(two, { process: longRun(1) }, { onRemove: 'delete' }))
    await lab.apply()
    lab.declare('b', adopting(two, { process: longRun(1) }, { onRemove: 'restore' }))
    await lab.apply()
    lab.withdraw('a')
    lab.withdraw('b')
    const removal = await lab.apply({ allowRemovals: 2 })
    expect(removal.failed).toEqual([])
    expect(existsSync(one)).toBe(false)
    expect(readFileSync(two, 'utf8')).toBe(theirs)
  })

  test.concurrent('is left in place if it is as declared and Reeve never wrote it', async () => {
    await using lab = createEngineLab()
    const path = lab.path('shared.conf')
    writeFileSync(path, 'ours\n')
    lab.declare('web', adopting(path))
    expect(stepsOf((await lab.apply()).plan)).not.toContain(`web/write-file:${path}`)
    lab.withdraw('web')
    const removal = await lab.apply()
    expect(planOf(removal.plan, 'web')?.kept).toEqual([
      { path, why: 'it was there before Reeve, and is as it was found' },
    ])
    expect(readFileSync(path, 'utf8')).toBe('ours\n')
  })

  test.concurrent('does not exist if Reeve created the file, whatever adopt says', async () => {
    await using lab = createEngineLab()
    const path = lab.path('own.conf')
    lab.declare('web', adopting(path))
    await lab.apply()
    lab.withdraw('web')
    await lab.apply()
    expect(existsSync(path)).toBe(false)
  })

  test.concurrent('is not restored over a file that was edited since, nor where the file was deleted', async () => {
    await using lab = createEngineLab()
    const [one, two] = [createTheirs(lab, 'one'), createTheirs(lab, 'two')]
    lab.declare('a', adopting(one))
    lab.declare('b', adopting(two, { process: longRun(1) }))
    await lab.apply()
    lab.withdraw('a')
    lab.withdraw('b')
    writeFileSync(one, 'edited\n')
    rmSync(two)
    const removal = await lab.apply({ allowRemovals: 2 })
    expect(removal.failed).toEqual([])
    expect(planOf(removal.plan, 'a')?.kept).toEqual([
      { path: one, why: 'somebody has changed it since Reeve wrote it' },
    ])
    expect(readFileSync(one, 'utf8')).toBe('edited\n')
    expect(existsSync(two)).toBe(false)
  })

  test.concurrent('that is too large to copy is reported, and the file stays as Reeve wrote it', async () => {
    await using lab = createEngineLab()
    const path = createTheirs(lab)
    truncateSync(path, 1024 * 1024 + 1)
    lab.declare('web', adopting(path))
    const plan = await lab.plan()
    expect(planOf(plan, 'web')?.unkept).toEqual([{ path, why: expect.stringContaining('larger than 1 MiB') }])
    await lab.apply()
    expect(copiesIn(lab)).toEqual([])
    lab.withdraw('web')
    const removal = await lab.apply()
    expect(planOf(removal.plan, 'web')?.kept).toEqual([
      { path, why: 'it was there before Reeve, and too large for a copy to be kept' },
    ])
    expect(readFileSync(path, 'utf8')).toBe('ours\n')
  })

  test.concurrent('of exactly 1 MiB, and binary, is restored', async () => {
    await using lab = createEngineLab()
    const path = lab.path('shared.bin')
    const content = Buffer.alloc(1024 * 1024, 0xfe)
    writeFileSync(path, content)
    lab.declare('web', adopting(path))
    await lab.apply()
    lab.withdraw('web')
    await lab.apply()
    expect(readFileSync(path).equals(content)).toBe(true)
  })

  test.concurrent('is not restored if the record is lost, and this is reported', async () => {
    await using lab = createEngineLab()
    const path = createTheirs(lab)
    lab.declare('web', adopting(path))
    await lab.apply()
    rmSync(lab.path('state'), { recursive: true })
    await lab.apply()
    lab.withdraw('web')
    const removal = await lab.apply()
    expect(planOf(removal.plan, 'web')?.kept).toEqual([
      { path, why: 'it was adopted, and Reeve has lost its record of what was there before' },
    ])
    expect(readFileSync(path, 'utf8')).toBe('ours\n')
  })

  test.concurrent('is not restored if the copy is missing or damaged, and the facility reports why', async () => {
    await using lab = createEngineLab()
    const path = createTheirs(lab)
    lab.declare('web', adopting(path))
    await lab.apply()
    lab.withdraw('web')
    const [copy = ''] = copiesIn(lab)
    const place = lab.path('state', 'adopted', copy)
    writeFileSync(place, 'damaged')
    expect((await lab.apply()).failed[0]?.message).toContain(`its copy ${place} is damaged`)
    rmSync(place)
    expect((await lab.apply()).failed[0]?.message).toContain(`its copy ${place} is gone`)
    expect(readFileSync(path, 'utf8')).toBe('ours\n')
    rmSync(path)
    expect((await lab.apply()).failed).toEqual([])
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test.runIf(isRoot)('is left alone if there is no space for its copy', async () => {
    await using lab = createEngineLab()
    const path = createTheirs(lab)
    writeFileSync(path, Buffer.alloc(256 * 1024, 'x'))
    mkdirSync(lab.path('state'))
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=128k,mode=0755', 'tmpfs', lab.path('state')])
    try {
      lab.declare('web', adopting(path))
      await expect(lab.apply()).rejects.toThrow('no space left on the device')
      expect(statSync(path).size).toBe(256 * 1024)
    } finally {
      spawnSync('umount', ['-l', lab.path('state')])
    }
  })

  test.concurrent('stays known when another facility takes the file over, under another path too', async () => {
    await using lab = createEngineLab()
    mkdirSync(lab.path('etc'))
    const path = createTheirs(lab, 'etc/shared.conf')
    const before = describeFile(path)
    lab.declare('a', adopting(path))
    lab.declare('b', { process: longRun(1) })
    await lab.apply()
    lab.declare('a', { process: longRun() })
    lab.declare('b', adopting(path, { process: longRun(1), adopt: false }, { content: 'of b\n' }))
    expect((await lab.apply()).failed).toEqual([])
    lab.withdraw('b')
    await lab.apply({ allowRemovals: 1 })
    expect(describeFile(path)).toEqual(before)
  })
})
