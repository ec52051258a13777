import { spawnSync } from 'node:child_process'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { validate } from '../../../src/engine/refresh/validation.ts'
import { createEngineLab, diary, type EngineLab, longRun, planOf, type Spec, stepsOf } from '../../labs/engine-lab.ts'

vi.setConfig({ testTimeout: 240_000 })

const isRoot = process.getuid?.() === 0

/** Directory and a symlink to it. */
function createPlace(lab: EngineLab): { real: (name: string) => string; link: (name: string) => string } {
  mkdirSync(lab.path('usr-lib'))
  symlinkSync('usr-lib', lab.path('lib'))
  return { real: name => lab.path('usr-lib', name), link: name => lab.path('lib', name) }
}

function withFile(path: string, content: string, more: Spec = {}): Spec {
  return { process: longRun(), files: [{ path, content }], ...more }
}

async function messages(lab: EngineLab): Promise<string[]> {
  return (await validate(await lab.open())).diagnostics.map(({ message }) => message)
}

describe('one file under two paths, declared by two facilities', () => {
  test.concurrent('is refused with both names, both paths and their target', async () => {
    await using lab = createEngineLab()
    const { real, link } = createPlace(lab)
    lab.declare('a', withFile(link('x.conf'), 'of a\n'))
    lab.declare('b', withFile(real('x.conf'), 'of b\n'))
    const found = await messages(lab)
    expect(found).toHaveLength(2)
    for (const message of found) {
      for (const part of ['a', 'b'].map(name => `of facility ${name}`)) expect(message).toContain(part)
      expect(message).toContain(`file ${real('x.conf')}, to which`)
      expect(message).toContain(`"${link('x.conf')}"`)
    }
    const outcome = await lab.apply()
    expect(stepsOf(outcome.plan)).toEqual([])
    expect(existsSync(real('x.conf'))).toBe(false)
  })

  test.concurrent.each<[what: string, one: (path: string) => Spec, other: (path: string) => Spec]>([
    ['as the output of both', outputTo, outputTo],
    ['as an output and a file', outputTo, path => withFile(path, 'x\n')],
    ['as a rotated output and a file', outputTo, path => withFile(`${path}.2`, 'x\n')],
  ])('is refused: %s', async (_what, one, other) => {
    await using lab = createEngineLab()
    const { real, link } = createPlace(lab)
    lab.declare('a', one(link('x.log')))
    lab.declare('b', other(real('x.log')))
    expect(await messages(lab)).toHaveLength(2)
  })

  test.concurrent('is allowed where nothing is stored: /dev/null', async () => {
    await using lab = createEngineLab()
    lab.declare('a', outputTo('/dev/null'))
    lab.declare('b', outputTo('/dev/null'))
    expect(await messages(lab)).toEqual([])
    expect((await lab.apply()).failed).toEqual([])
  })

  test.concurrent('is refused in the place of another’s definition, whichever is declared first', async () => {
    await using lab = createEngineLab()
    symlinkSync(lab.supervisorDirectory, lab.path('way'))
    lab.declare('web', { process: longRun() })
    await lab.apply()
    const definition = lab.path('way', 'definitions', 'web.json')
    const real = lab.path('supervisor', 'definitions', 'web.json')
    expect(existsSync(real)).toBe(true)
    const before = readFileSync(real, 'utf8')
    for (const path of [definition, real]) {
      lab.declare('meddler', withFile(path, '{}\n', { adopt: true }))
      const plan = await lab.plan()
      expect(planOf(plan, 'meddler')?.blocked).toContain(`its file ${path} and facility web's definition ${real}`)
      expect(planOf(plan, 'web')?.blocked).toContain(`facility meddler's file ${path}`)
      await lab.apply()
      expect(readFileSync(real, 'utf8')).toBe(before)
    }
    lab.withdraw('meddler')
    expect(planOf(await lab.plan(), 'web')).toMatchObject({ change: 'none', steps: [] })
  })

  test.concurrent('by a link that comes later blocks both, and nothing flaps under the controller', async () => {
    await using lab = createEngineLab({ configuration: 'resync: 1s' })
    for (const name of ['one', 'two']) mkdirSync(lab.path(name))
    lab.declare('a', withFile(lab.path('one', 'x'), 'of a\n'))
    lab.declare('b', withFile(lab.path('two', 'x'), 'of b\n'))
    const controller = await lab.run()
    await controller.ready('a')
    await controller.ready('b')
    rmSync(lab.path('two'), { recursive: true })
    symlinkSync('one', lab.path('two'))
    for (const [name, other] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      await eventually(`${name} to be stalled by ${other}`, async () => {
        const stalled = (await controller.status(name))?.conditions.find(({ type }) => type === 'Stalled')
        return stalled?.status === 'True' && stalled.message.includes(`facility ${other}'s file`)
      })
    }
    expect(readFileSync(lab.path('one', 'x'), 'utf8')).toBe('of a\n')
  })

  test.runIf(isRoot)('through a directory mounted in two places is refused', async () => {
    await using lab = createEngineLab()
    for (const name of ['one', 'two']) mkdirSync(lab.path(name, 'below'), { recursive: true })
    spawnSync('mount', ['--bind', lab.path('one'), lab.path('two')])
    try {
      lab.declare('a', withFile(lab.path('one', 'below', 'x'), 'of a\n'))
      lab.declare('b', withFile(lab.path('two', 'below', 'x'), 'of b\n'))
      const found = await messages(lab)
      expect(found).toHaveLength(2)
      expect(found[0]).toContain(`"${lab.path('two', 'below', 'x')}" of facility b`)
    } finally {
      spawnSync('umount', ['-l', lab.path('two')])
    }
  })

  test.concurrent('by hard links is two files as soon as one is written', async () => {
    await using lab = createEngineLab()
    writeFileSync(lab.path('x'), 'before\n')
    linkSync(lab.path('x'), lab.path('y'))
    lab.declare('a', withFile(lab.path('x'), 'of a\n', { adopt: true }))
    lab.declare('b', withFile(lab.path('y'), 'of b\n', { adopt: true }))
    expect((await lab.apply()).failed).toEqual([])
    expect(readFileSync(lab.path('x'), 'utf8')).toBe('of a\n')
    expect(readFileSync(lab.path('y'), 'utf8')).toBe('of b\n')
    expect(stepsOf(await lab.plan())).toEqual([])
  })
})

describe("a facility that changes the spelling of its file's path", () => {
  test.concurrent('keeps the file and its process', async () => {
    await using lab = createEngineLab()
    const { real, link } = createPlace(lab)
    lab.declare('web', withFile(link('x.conf'), 'x\n'))
    await lab.apply()
    const { ino } = statSync(real('x.conf'))
    const { pid } = await lab.observe('web')
    for (const path of [real('x.conf'), link('x.conf')]) {
      lab.declare('web', withFile(path, 'x\n'))
      const outcome = await lab.apply()
      expect(outcome.failed).toEqual([])
      expect(stepsOf(outcome.plan)).toEqual(['web/install'])
      expect(statSync(real('x.conf')).ino).toBe(ino)
      expect((await lab.observe('web')).pid).toBe(pid)
      expect(stepsOf(await lab.plan())).toEqual([])
    }
    lab.withdraw('web')
    await lab.apply()
    expect(existsSync(real('x.conf'))).toBe(false)
  })

  test.concurrent('may change the content with it, even if it was never written that way', async () => {
    await using lab = createEngineLab()
    const { real, link } = createPlace(lab)
    lab.declare('web', withFile(link('x.conf'), 'one\n'))
    await lab.apply()
    lab.declare('web', withFile(real('x.conf'), 'two\n'))
    const outcome = await lab.apply()
    expect(outcome.failed).toEqual([])
    expect(stepsOf(outcome.plan)).not.toContain(`web/remove-file:${link('x.conf')}`)
    expect(readFileSync(real('x.conf'), 'utf8')).toBe('two\n')
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test.concurrent('may change its name with it', async () => {
    await using lab = createEngineLab()
    const { real, link } = createPlace(lab)
    lab.declare('www', withFile(link('x.conf'), 'x\n'))
    await lab.apply()
    lab.withdraw('www')
    lab.declare('web', withFile(real('x.conf'), 'x\n'))
    const outcome = await lab.apply({ allowRemovals: 1 })
    expect(outcome.failed).toEqual([])
    expect(readFileSync(real('x.conf'), 'utf8')).toBe('x\n')
    expect(stepsOf(outcome.plan)).toContain('www/remove')
    expect(stepsOf(outcome.plan).filter(id => id.includes('remove-file'))).toEqual([])
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test.concurrent('may give the file to another', async () => {
    await using lab = createEngineLab()
    const { real, link } = createPlace(lab)
    lab.declare('a', withFile(link('x.conf'), 'x\n'))
    lab.declare('b', { process: longRun(1) })
    await lab.apply()
    lab.declare('a', { process: longRun() })
    lab.declare('b', withFile(real('x.conf'), 'x\n', { process: longRun(1) }))
    const outcome = await lab.apply()
    expect(outcome.failed).toEqual([])
    expect(readFileSync(real('x.conf'), 'utf8')).toBe('x\n')
    const install = planOf(outcome.plan, 'a')?.steps.find(({ verb }) => verb === 'install')
    expect(install?.needs).toContain('b/install')
    expect(stepsOf(await lab.plan())).toEqual([])
  })
})

test.concurrent('E24: does not run beside a facility that shares its directory by another path', async () => {
  await using lab = createEngineLab()
  const { real, link } = createPlace(lab)
  mkdirSync(real('data'))
  const file = lab.path('diary')
  const inDirectory = (name: string, workingDirectory: string): Spec => ({
    process: { ...diary(name, file, { stopping: 1 }), workingDirectory },
  })
  lab.declare('old', inDirectory('old', link('data')))
  await lab.apply()
  await eventually('it to have started', () => lab.lines('diary').length === 1)
  lab.withdraw('old')
  lab.declare('new', inDirectory('new', real('data')))
  expect((await lab.apply({ allowRemovals: 1 })).failed).toEqual([])
  await eventually('three lines in the diary', () => lab.lines('diary').length === 3)
  expect(lab.lines('diary').map(line => line.split(' ').slice(0, 2).join(' '))).toEqual([
    'start old',
    'stop old',
    'start new',
  ])
})

describe('one supervisor under two paths', () => {
  test.concurrent('is an error', async () => {
    await using lab = createEngineLab()
    symlinkSync('supervisor', lab.path('way'))
    lab.declareSupervisor('other', lab.path('way'))
    lab.declare('web', { process: longRun() })
    const { diagnostics } = await validate(await lab.open())
    const found = diagnostics.filter(({ code }) => code === 'duplicate-supervisor')
    expect(found).toHaveLength(2)
    for (const { message } of found) expect(message).toContain(`the process at ${lab.path('supervisor')}`)
  })

  test.concurrent('keeps everything when its path is spelled differently', async () => {
    await using lab = createEngineLab()
    symlinkSync('supervisor', lab.path('way'))
    lab.declare('web', { process: longRun() })
    await lab.apply()
    const { pid } = await lab.observe('web')
    lab.declareSupervisor('lab', lab.path('way'))
    const outcome = await lab.apply()
    expect(stepsOf(outcome.plan).filter(id => id.includes('@'))).toEqual([])
    expect((await lab.observe('web')).pid).toBe(pid)
    expect(stepsOf(await lab.plan())).toEqual([])
  })
})

function outputTo(file: string): Spec {
  return { process: { ...longRun(), output: { file } } }
}
