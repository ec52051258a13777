import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { createReadHost } from '../../../src/host/read-host.ts'
import { createEngineLab, type EngineLab, longRun, planOf } from '../../labs/engine-lab.ts'

const isRoot = process.getuid?.() === 0
const web = createReadHost().findUser('games') ?? { uid: 0, gid: 0 }
const secret = 'for root alone'

interface Scene extends AsyncDisposable {
  readonly lab: EngineLab
  readonly base: string
  readonly app: string
  readonly path: string
  declare(more?: object): void
}

function createScene(mode = 0o755, owner: { uid: number; gid: number } = web): Scene {
  const base = mkdtempSync(join(tmpdir(), 'reeve-hostile-'))
  chmodSync(base, 0o755)
  const app = join(base, 'app')
  mkdirSync(app)
  chownSync(app, owner.uid, owner.gid)
  chmodSync(app, mode)
  const lab = createEngineLab()
  const path = join(app, 'app.conf')
  return {
    lab,
    base,
    app,
    path,
    declare(more = {}) {
      const process = { ...longRun(), user: 'games' }
      lab.declare('web', { process, adopt: true, files: [{ path, content: 'ours\n', mode: '0644', ...more }] })
    },
    async [Symbol.asyncDispose]() {
      await lab[Symbol.asyncDispose]()
      rmSync(base, { recursive: true, force: true })
    },
  }
}

/** Shell script run endlessly as the service's user. */
function attack(script: string, ...args: readonly string[]): AsyncDisposable {
  const child = spawn('/bin/sh', ['-c', `while :; do ${script}; done 2>/dev/null`, 'sh', ...args], {
    uid: web.uid,
    gid: web.gid,
    stdio: 'ignore',
  })
  const ended = once(child, 'close')
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

describe.runIf(isRoot)('S8: in a directory of the service’s user', () => {
  test('a pipe, a huge file or a directory in place of a file affects only its own facility', async ({ expect }) => {
    await using scene = createScene()
    const { lab, path } = scene
    scene.declare()
    lab.declare('db', { process: longRun(1) })
    const ways: readonly (() => void)[] = [
      () => spawnSync('mkfifo', ['-m', '0644', path]),
      () => {
        writeFileSync(path, '')
        truncateSync(path, 1_000_000_000_000)
      },
      () => mkdirSync(path),
    ]
    for (const make of ways) {
      make()
      chownSync(path, web.uid, web.gid)
      const plan = await lab.plan()
      expect(planOf(plan, 'web')?.blocked).toMatch(/can't be managed/)
      expect(planOf(plan, 'db')?.steps).not.toEqual([])
      rmSync(path, { recursive: true })
    }
  })

  test('a directory that appears and vanishes does no harm, and nothing is created elsewhere', {
    timeout: 60_000,
  }, async ({ expect }) => {
    await using scene = createScene()
    const { lab, base, app, path } = scene
    const sub = join(app, 'sub')
    await using attacking = attack('mkdir "$1"; : > "$1/x"; mv "$1" "$1.gone"; rm -rf "$1.gone" "$1"', sub)
    const entries = readdirSync(base)
    for (const end = Date.now() + 2_000; Date.now() < end; ) {
      scene.declare({ path: join(sub, 'app.conf') })
      await lab.apply()
      lab.withdraw('web')
      await lab.apply()
    }
    await attacking[Symbol.asyncDispose]()
    expect(readdirSync(base)).toEqual(entries)
    expect(existsSync(path)).toBe(false)
  })

  test('root writes in a sticky directory, and shows no root-only file that was moved there', async ({ expect }) => {
    await using scene = createScene(0o1777, { uid: 0, gid: 0 })
    const { lab, base, path } = scene
    writeFileSync(path, secret, { mode: 0o600 })
    scene.declare({ owner: 'games' })
    const plan = await lab.plan()
    expect(planOf(plan, 'web')?.blocked).toMatch(/isn't looked into/)
    expect(JSON.stringify(plan)).not.toContain(secret)
    rmSync(path)
    expect((await lab.apply()).failed).toEqual([])
    expect(lstatSync(path)).toMatchObject({ uid: web.uid })
    lab.withdraw('web')
    await lab.apply()
    expect(existsSync(path)).toBe(false)
    expect(readdirSync(base)).toEqual(['app'])
  })

  test('a file in a sticky directory that only root may read is up to date, at the next refresh too', async ({
    expect,
  }) => {
    await using scene = createScene(0o1777, { uid: 0, gid: 0 })
    const { lab, path } = scene
    scene.declare({ owner: 'root', mode: '0600' })
    expect((await lab.apply()).failed).toEqual([])
    const plan = planOf(await lab.plan(), 'web')
    expect(plan).toMatchObject({ change: 'none', steps: [] })
    expect(plan?.blocked).toBeUndefined()
    lab.withdraw('web')
    await lab.apply()
    expect(existsSync(path)).toBe(false)
  })

  test("a member of the directory's group writes, and others of the group cannot redirect the write", async ({
    expect,
  }) => {
    await using scene = createScene(0o2775, { uid: 0, gid: web.gid })
    const { lab, path } = scene
    scene.declare()
    expect((await lab.apply()).failed).toEqual([])
    expect(lstatSync(path)).toMatchObject({ uid: web.uid, gid: web.gid })
    lab.withdraw('web')
    expect((await lab.apply()).failed).toEqual([])
    expect(existsSync(path)).toBe(false)
  })

  test("root's files below a directory of the user are neither written nor removed", async ({ expect }) => {
    await using scene = createScene()
    const { lab, app } = scene
    const inner = join(app, 'inner')
    mkdirSync(inner, { mode: 0o700 })
    const path = join(inner, 'app.conf')
    writeFileSync(path, secret, { mode: 0o600 })
    scene.declare({ path })
    const plan = await lab.plan()
    expect(planOf(plan, 'web')?.blocked).toBeDefined()
    expect(JSON.stringify(plan)).not.toContain(secret)
    await lab.apply()
    expect(readFileSync(path, 'utf8')).toBe(secret)
  })
})
