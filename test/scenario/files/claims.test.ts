import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { createEngineLab, type EngineLab, longRun, planOf, type Spec, stepsOf } from '../../labs/engine-lab.ts'

const isRoot = process.getuid?.() === 0

/** File system of its own, full except for an empty file or two. */
interface SmallDisk extends AsyncDisposable {
  readonly lab: EngineLab
  path(name: string): string
  fill(): void
  free(): void
}

function createSmallDisk(): SmallDisk {
  const lab = createEngineLab()
  const directory = lab.path('disk')
  const ballast = join(directory, 'ballast')
  mkdirSync(directory)
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0755', 'tmpfs', directory])
  return {
    lab,
    path: name => join(directory, name),
    fill() {
      const { bsize, bavail } = statfsSync(directory)
      writeFileSync(ballast, Buffer.alloc(bsize * bavail))
    },
    free: () => truncateSync(ballast),
    async [Symbol.asyncDispose]() {
      spawnSync('umount', ['-l', directory])
      await lab[Symbol.asyncDispose]()
    },
  }
}

function withFile(path: string, content: string, more: Spec = {}): Spec {
  return { process: longRun(), files: [{ path, content }], ...more }
}

describe.runIf(isRoot)('E19: a file that Reeve failed to write', () => {
  test('is not removed with its manifest: adopted, and the disk was full', async ({ expect }) => {
    await using disk = createSmallDisk()
    const { lab } = disk
    const path = disk.path('x.conf')
    writeFileSync(path, 'theirs\n')
    disk.fill()
    lab.declare('web', withFile(path, 'ours\n', { adopt: true }))
    const [failure] = (await lab.apply()).failed
    expect(failure?.message).toMatch(/no space left/)
    lab.withdraw('web')
    const removal = await lab.apply()
    expect(planOf(removal.plan, 'web')?.kept).toEqual([{ path, why: 'Reeve did not write it' }])
    expect(stepsOf(removal.plan)).toEqual(['web/remove'])
    expect(readFileSync(path, 'utf8')).toBe('theirs\n')
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('is neither overwritten nor removed if somebody else creates it afterwards', async ({ expect }) => {
    await using disk = createSmallDisk()
    const { lab } = disk
    const path = disk.path('x.conf')
    disk.fill()
    lab.declare('web', withFile(path, 'ours\n'))
    expect((await lab.apply()).failed).toHaveLength(1)
    disk.free()
    writeFileSync(path, 'theirs\n')
    const blocked = planOf(await lab.plan(), 'web')?.blocked
    expect(blocked).toBe(
      `file ${path} exists and was not written by Reeve, which did not succeed in writing it: declare adopt: true to take it over, or another path`,
    )
    await lab.apply()
    expect(readFileSync(path, 'utf8')).toBe('theirs\n')

    // adopt: true, withdrawn before the file was written.
    disk.fill()
    lab.declare('web', withFile(path, 'ours\n', { adopt: true }))
    expect((await lab.apply()).failed).toHaveLength(1)
    disk.free()
    lab.declare('web', withFile(path, 'ours\n'))
    expect(planOf(await lab.plan(), 'web')?.blocked).toContain('was not written by Reeve')

    lab.withdraw('web')
    await lab.apply()
    expect(readFileSync(path, 'utf8')).toBe('theirs\n')
  })

  test('is written once there is space, and is Reeve’s then', async ({ expect }) => {
    await using disk = createSmallDisk()
    const { lab } = disk
    const path = disk.path('x.conf')
    disk.fill()
    lab.declare('web', withFile(path, 'ours\n'))
    await lab.apply()
    disk.free()
    expect((await lab.apply()).failed).toEqual([])
    expect(readFileSync(path, 'utf8')).toBe('ours\n')
    lab.withdraw('web')
    await lab.apply()
    expect(existsSync(path)).toBe(false)
  })

  test('by an update keeps its earlier content as Reeve’s, to repair and to remove', async ({ expect }) => {
    await using disk = createSmallDisk()
    const { lab } = disk
    const path = disk.path('x.conf')
    lab.declare('web', withFile(path, 'one\n'))
    await lab.apply()
    disk.fill()
    lab.declare('web', withFile(path, `${'two\n'.repeat(4_000)}`))
    expect((await lab.apply()).failed).toHaveLength(1)
    expect(readFileSync(path, 'utf8')).toBe('one\n')
    lab.withdraw('web')
    await lab.apply()
    expect(existsSync(path)).toBe(false)
  })

  test('is kept by a controller when its manifest goes, and the log says so', { timeout: 60_000 }, async ({
    expect,
  }) => {
    await using disk = createSmallDisk()
    const { lab } = disk
    const path = disk.path('x.conf')
    writeFileSync(path, 'theirs\n')
    disk.fill()
    lab.declare('web', withFile(path, 'ours\n', { adopt: true }))
    const controller = await lab.run()
    await eventually('the write to fail', () =>
      controller.log.some(({ message }) => message.includes('not as declared')),
    )
    lab.withdraw('web')
    await eventually('the removal', () => controller.steps().includes('web/remove'))
    expect(readFileSync(path, 'utf8')).toBe('theirs\n')
    expect(controller.log.map(({ message }) => message)).toContain(`web: ${path} is kept: Reeve did not write it`)
  })

  test('by a controller that cannot record it first is not claimed until it can', async ({ expect }) => {
    await using disk = createSmallDisk()
    const { lab } = disk
    const path = lab.path('x.conf')
    const controller = await lab.run({ stateDir: disk.path('state') })
    disk.fill()
    lab.declare('web', withFile(path, 'ours\n'))
    lab.declare('db', { process: longRun(1) })
    await controller.ready('db')
    await eventually('it to be said', () => controller.log.some(({ message }) => message.startsWith('web: waits')))
    expect(controller.steps().filter(step => step.startsWith('web/'))).toEqual([])
    disk.free()
    lab.declare('more', { process: longRun(2) })
    await controller.ready('web')
    expect(readFileSync(path, 'utf8')).toBe('ours\n')
  })
})

describe('E19: a file that was edited since Reeve wrote it', () => {
  test('is repaired while it is declared, and kept when it no longer is', async ({ expect }) => {
    await using lab = createEngineLab()
    const path = lab.path('x.conf')
    lab.declare('web', withFile(path, 'ours\n'))
    await lab.apply()
    writeFileSync(path, 'edited\n')
    expect(stepsOf(await lab.plan())).toEqual([`web/write-file:${path}`])
    await lab.apply()
    expect(readFileSync(path, 'utf8')).toBe('ours\n')

    writeFileSync(path, 'edited\n')
    lab.declare('web', { process: longRun() })
    const plan = await lab.plan()
    expect(planOf(plan, 'web')?.kept).toEqual([{ path, why: 'somebody has changed it since Reeve wrote it' }])
    await lab.apply()
    expect(readFileSync(path, 'utf8')).toBe('edited\n')
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('is left alone if it was replaced by a directory or a link, without delaying anything', async ({ expect }) => {
    await using lab = createEngineLab()
    const path = lab.path('x.conf')
    lab.declare('web', withFile(path, 'ours\n'))
    await lab.apply()
    rmSync(path)
    mkdirSync(path)
    lab.withdraw('web')
    const removal = await lab.apply()
    expect(removal.failed).toEqual([])
    expect(planOf(removal.plan, 'web')?.kept).toMatchObject([{ path }])
    expect(readdirSync(path)).toEqual([])
  })

  test('E18: without the record is kept, unless it is what the service has loaded', async ({ expect }) => {
    await using lab = createEngineLab()
    const path = lab.path('x.conf')
    for (const [content, isKept] of [
      ['ours\n', false],
      ['edited\n', true],
    ] as const) {
      lab.declare('web', withFile(path, 'ours\n'))
      await lab.apply()
      writeFileSync(path, content)
      rmSync(lab.stateDirectory, { recursive: true })
      lab.withdraw('web')
      const removal = await lab.apply()
      expect(planOf(removal.plan, 'web')?.kept ?? []).toHaveLength(isKept ? 1 : 0)
      expect(existsSync(path)).toBe(isKept)
    }
  })

  test('E18: without the record is repaired, and a change is applied', async ({ expect }) => {
    await using lab = createEngineLab()
    const path = lab.path('x.conf')
    lab.declare('web', withFile(path, 'ours\n'))
    await lab.apply()
    writeFileSync(path, 'edited\n')
    rmSync(lab.stateDirectory, { recursive: true })
    lab.declare('web', withFile(path, 'changed\n'))
    expect((await lab.apply()).failed).toEqual([])
    expect(readFileSync(path, 'utf8')).toBe('changed\n')
    lab.withdraw('web')
    await lab.apply()
    expect(existsSync(path)).toBe(false)
  })

  test('S9: has its digest recorded only where root alone can read', async ({ expect }) => {
    await using lab = createEngineLab()
    lab.declare('web', { process: longRun(), files: [{ path: lab.path('x.conf'), content: 'ours\n', mode: '0600' }] })
    await lab.apply()
    const record = join(lab.stateDirectory, 'record.json')
    expect(readFileSync(record, 'utf8')).toContain('isFulfilled')
    expect(spawnSync('stat', ['-c', '%a', record], { encoding: 'utf8' }).stdout.trim()).toBe('600')
  })
})

describe.runIf(isRoot)('a file that is a mount point', () => {
  async function withMount(lab: EngineLab, path: string, content: string, act: () => Promise<void>): Promise<void> {
    const source = lab.path('source')
    writeFileSync(source, content)
    if (!existsSync(path)) writeFileSync(path, '')
    spawnSync('mount', ['--bind', source, path])
    try {
      await act()
    } finally {
      spawnSync('umount', ['-l', path])
    }
  }

  test('is refused by plan', async ({ expect }) => {
    await using lab = createEngineLab()
    const path = lab.path('with blank.conf')
    await withMount(lab, path, 'ours\n', async () => {
      lab.declare('web', withFile(path, 'new\n', { adopt: true }))
      expect(planOf(await lab.plan(), 'web')?.blocked).toContain(`${path} is a mount point of its own`)
    })
  })

  test('is kept and forgotten when its manifest goes', async ({ expect }) => {
    await using lab = createEngineLab()
    const path = lab.path('x.conf')
    lab.declare('web', withFile(path, 'ours\n'))
    await lab.apply()
    await withMount(lab, path, 'ours\n', async () => {
      lab.withdraw('web')
      const removal = await lab.apply()
      expect(removal.failed).toEqual([])
      expect(planOf(removal.plan, 'web')?.kept).toMatchObject([{ path, why: expect.stringContaining('mount point') }])
      expect(stepsOf(await lab.plan())).toEqual([])
    })
  })

  test('is refused by plan as a definition too', async ({ expect }) => {
    await using lab = createEngineLab()
    lab.declare('web', { process: longRun() })
    await lab.apply()
    lab.declare('web', { process: longRun(1) })
    const definition = join(lab.supervisorDirectory, 'definitions/web.json')
    await withMount(lab, definition, readFileSync(definition, 'utf8'), async () => {
      expect(planOf(await lab.plan(), 'web')?.blocked).toContain('is a mount point of its own')
    })
  })
})
