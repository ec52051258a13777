import { chmodSync, chownSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import {
  createEngineLab,
  type EngineLab,
  longRun,
  planOf,
  reasonOf,
  type Spec,
  stepsOf,
} from '../../labs/engine-lab.ts'

const isRoot = process.getuid?.() === 0
const name = 'nobody'
const user = createReadHost().findUser(name) ?? { uid: 0, gid: 0 }

interface Scene extends AsyncDisposable {
  readonly lab: EngineLab
  /** Path owned by the service's user. */
  readonly home: string
  readonly file: string
  declare(more?: Spec, content?: string): void
}

/** Running service with a configuration file in a directory of its user. */
async function createScene(): Promise<Scene> {
  const base = mkdtempSync(join(tmpdir(), 'reeve-ending-'))
  chmodSync(base, 0o755)
  const home = join(base, 'home')
  mkdirSync(home)
  chownSync(home, user.uid, user.gid)
  const lab = createEngineLab()
  const file = join(home, 'web.conf')
  const declare = (more: Spec = {}, content = 'a'): void =>
    lab.declare('web', { process: { ...longRun(), user: name }, files: [{ path: file, content }], ...more })
  declare()
  expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
  return {
    lab,
    home,
    file,
    declare,
    async [Symbol.asyncDispose]() {
      await lab[Symbol.asyncDispose]()
      rmSync(base, { recursive: true, force: true })
    },
  }
}

const storyActions: [string, (scene: Scene) => void][] = [
  [
    'a symlink',
    ({ home, file }) => {
      rmSync(file)
      symlinkSync('/etc/passwd', file)
      chownSync(home, user.uid, user.gid)
    },
  ],
  [
    'a directory',
    ({ file }) => {
      rmSync(file)
      mkdirSync(file)
    },
  ],
  ['a directory that nobody can write to', ({ home }) => chmodSync(home, 0o555)],
  ['no directory at all', ({ home }) => renameSync(home, `${home}.away`)],
]

describe.runIf(isRoot)('S8: a user who can obstruct a file does not decide what runs', { timeout: 300_000 }, () => {
  for (const [what, plant] of storyActions) {
    test.concurrent(`${what} in place of a declared file does not keep the service from being stopped and disabled`, async () => {
      await using scene = await createScene()
      const { lab } = scene
      plant(scene)
      scene.declare({ state: 'stopped', enabled: false }, 'b')
      const plan = await lab.plan()
      expect(stepsOf(plan)).toEqual(['web/disable', 'web/stop'])
      expect(planOf(plan, 'web')?.blocked).toContain(scene.home)
      const outcome = await lab.apply()
      expect(outcome).toMatchObject({ failed: [], stepsDone: 2, plan: { summary: { blocked: 1 } } })
      expect(await lab.observe('web')).toMatchObject({ state: 'stopped', enabled: false })
      expect(stepsOf(await lab.plan())).toEqual([])
    })

    test.concurrent(`${what} in place of a declared file does not keep the service from being removed`, async () => {
      await using scene = await createScene()
      const { lab } = scene
      plant(scene)
      lab.withdraw('web')
      await lab.apply({ allowRemovals: 1 })
      expect(await lab.observe('web')).toMatchObject({ enabled: false })
      expect((await lab.observe('web')).state).not.toBe('running')
    })
  }

  test.concurrent('a controller stops the service too, and does not report it as up to date', async () => {
    await using scene = await createScene()
    const { lab } = scene
    const controller = await lab.run()
    await controller.ready('web')
    chmodSync(scene.home, 0o555)
    scene.declare({ state: 'stopped', enabled: false }, 'b')
    await eventually('it to be stopped, and told of', async () => {
      const status = await controller.status('web')
      return status?.state === 'stopped' && reasonOf(status, 'Stalled') === 'Blocked'
    })
    expect(controller.steps().slice(-2)).toEqual(['web/disable', 'web/stop'])
    chmodSync(scene.home, 0o755)
    lab.declare('other', { process: longRun() })
    await controller.ready('web')
    expect(controller.steps()).toContain(`web/write-file:${scene.file}`)
    expect((await lab.observe('web')).state).toBe('stopped')
  })
})
