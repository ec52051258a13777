import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import type { Effect } from '../../../src/host/effects.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import { createEngineLab, type EngineLab, longRun, planOf, stepsOf } from '../../labs/engine-lab.ts'
import { startHolder } from '../../tools/descriptor-holder.ts'

const isRoot = process.getuid?.() === 0
const host = createWriteHost()

/** Users that every Debian has. */
const web = { name: 'games', ...findIds('games') }
const other = { name: 'daemon', ...findIds('daemon') }

function findIds(name: string): { readonly uid: number; readonly gid: number } {
  const { uid = 0, gid = 0 } = host.findUser(name) ?? {}
  return { uid, gid }
}

interface UserLab extends AsyncDisposable {
  readonly lab: EngineLab
  /** Directory owned by the user, in one that everybody can enter. */
  readonly home: string
  readonly base: string
}

function createUserLab(): UserLab {
  const base = mkdtempSync(join(tmpdir(), 'reeve-files-'))
  chmodSync(base, 0o755)
  const home = join(base, 'home')
  mkdirSync(home)
  chownSync(home, web.uid, web.gid)
  const lab = createEngineLab()
  return {
    lab,
    base,
    home,
    async [Symbol.asyncDispose]() {
      await lab[Symbol.asyncDispose]()
      rmSync(base, { recursive: true, force: true })
    },
  }
}

function facts(path: string): unknown {
  const { uid, gid, mode } = statSync(path)
  return { uid, gid, mode: (mode & 0o7777).toString(8), content: readFileSync(path, 'latin1') }
}

describe.runIf(isRoot)('S8: files in a directory of the service’s user', () => {
  test('are written, repaired, changed and removed with the rights of that user', async ({ expect }) => {
    await using made = createUserLab()
    const { lab, home } = made
    const path = join(home, 'app.conf')
    const content = 'ä\n'
    const files = [{ path, content, mode: '0640' }]
    lab.declare('web', { process: { ...longRun(), user: web.name }, files })
    expect(planOf(await lab.plan(), 'web')?.blocked).toBeUndefined()
    expect((await lab.apply()).failed).toEqual([])
    const declared = { uid: web.uid, gid: web.gid, mode: '640', content: Buffer.from(content).toString('latin1') }
    expect(facts(path)).toEqual(declared)
    expect(stepsOf(await lab.plan())).toEqual([])

    writeFileSync(path, 'edited')
    chmodSync(path, 0o600)
    await lab.apply()
    expect(facts(path)).toEqual(declared)

    const bytes = Buffer.from([0, 255, 10, 13, 0])
    writeFileSync(join(lab.manifests, 'bytes.bin'), bytes)
    lab.declare('web', {
      process: { ...longRun(), user: web.name },
      files: [{ path, source: './bytes.bin', owner: web.name, mode: '0600' }],
    })
    await lab.apply()
    expect(facts(path)).toEqual({ ...declared, mode: '600', content: bytes.toString('latin1') })

    lab.withdraw('web')
    const removal = await lab.apply()
    expect(stepsOf(removal.plan)).toContain(`web/remove-file:${path}`)
    expect(removal.failed).toEqual([])
    expect(readdirSync(home)).toEqual([])
  })

  test('are written as their declared owner if the service runs as root', async ({ expect }) => {
    await using made = createUserLab()
    const { lab, home } = made
    const path = join(home, 'app.conf')
    lab.declare('web', { process: longRun(), files: [{ path, content: 'one\n', owner: web.name }] })
    expect((await lab.apply()).failed).toEqual([])
    expect(facts(path)).toMatchObject({ uid: web.uid, content: 'one\n' })
  })

  const refusals: readonly [what: string, file: object, user: string | undefined, why: RegExp][] = [
    ['nobody is declared who could write it', {}, undefined, /owner 5, .*declare as owner of the file/],
    ['its declared owner is root', { owner: 'root' }, 'games', /owner 5, .*declare as owner of the file/],
    ['its user can’t write there', {}, 'daemon', /user daemon can't write to .*home \(owner 5, group 60, mode 0755\)/],
    ['its user isn’t in the declared group', { group: 'disk' }, 'games', /isn't in it/],
  ]
  for (const [what, file, user, why] of refusals) {
    test(`are refused by plan if ${what}`, async ({ expect }) => {
      await using made = createUserLab()
      const { lab, home } = made
      const path = join(home, 'app.conf')
      lab.declare('web', { process: { ...longRun(), ...(user && { user }) }, files: [{ path, content: 'x', ...file }] })
      expect(planOf(await lab.plan(), 'web')?.blocked).toMatch(why)
      await lab.apply()
      expect(readdirSync(home)).toEqual([])
    })
  }

  test('are neither shown nor overwritten nor removed if the user moved a root-only file there', async ({ expect }) => {
    await using made = createUserLab()
    const { lab, home } = made
    const path = join(home, 'app.conf')
    writeFileSync(path, 'for root alone', { mode: 0o600 })
    lab.declare('web', {
      process: { ...longRun(), user: web.name },
      adopt: true,
      files: [{ path, content: 'one\n', mode: '0644' }],
    })
    const plan = await lab.plan()
    expect(planOf(plan, 'web')?.blocked).toMatch(/isn't looked into/)
    expect(JSON.stringify(plan)).not.toContain('alone')
    rmSync(path)
    await lab.apply()
    rmSync(path)
    writeFileSync(path, 'for root alone', { mode: 0o600 })
    expect(JSON.stringify(await lab.plan())).not.toContain('alone')
    lab.withdraw('web')
    const removal = await lab.apply()
    expect(planOf(removal.plan, 'web')?.kept).toEqual([{ path, why: expect.stringContaining('changed it') }])
    expect(readFileSync(path, 'utf8')).toBe('for root alone')
  })

  test('with an unreadable path affect only their own facility', async ({ expect }) => {
    await using made = createUserLab()
    const { lab, home } = made
    lab.declare('web', { process: longRun(), files: [{ path: join(home, 'x'.repeat(300)), content: 'x' }] })
    lab.declare('db', { process: longRun(1) })
    const plan = await lab.plan()
    expect(planOf(plan, 'web')?.blocked).toMatch(/can't be managed/)
    expect(planOf(plan, 'db')?.steps).not.toEqual([])
  })
})

describe.runIf(isRoot)('S8: a file written as a user', () => {
  const path = (made: UserLab): string => join(made.home, 'app.conf')

  test('S7: is there completely or not at all, and a crash leaves nothing behind', async ({ expect }) => {
    await using made = createUserLab()
    const effects: string[] = []
    const execution = createWriteHost({
      onEffect: ({ kind, target }: Effect, phase) =>
        effects.push(`${phase} ${kind} ${target.replace(made.home, '').replace(/-\d+-[0-9a-f]{12}\./, '-N.')}`),
    })
    const stale = join(made.home, '.reeve-app.conf-4194304-0123456789ab.tmp')
    const another = join(made.home, `.reeve-app.conf-${process.ppid}-0123456789ab.tmp`)
    for (const left of [stale, another]) {
      writeFileSync(left, 'half')
      chownSync(left, web.uid, web.gid)
    }
    await execution.writeFileAs(web, path(made), 'one\n', { mode: 0o600 })
    expect(effects).toEqual([
      'before write-temporary /.reeve-app.conf-N.tmp',
      'after write-temporary /.reeve-app.conf-N.tmp',
      'before rename /app.conf',
      'after rename /app.conf',
    ])
    expect(existsSync(stale)).toBe(false)
    expect(existsSync(another)).toBe(true)
    expect(facts(path(made))).toEqual({ uid: web.uid, gid: web.gid, mode: '600', content: 'one\n' })
    await execution.removeFileAs(web, path(made))
    await execution.removeFileAs(web, path(made))
    await execution.removeFileAs(web, join(made.home, 'gone/file'))
    expect(existsSync(path(made))).toBe(false)
  })

  test('is not disturbed by simultaneous writes beside it', async ({ expect }) => {
    await using made = createUserLab()
    const names = Array.from({ length: 20 }, (_, index) => `${index}.conf`)
    await Promise.all(names.map(name => host.writeFileAs(web, join(made.home, name), name, { mode: 0o600 })))
    expect(readdirSync(made.home).sort()).toEqual([...names].sort())
    // An earlier process with the same pid, as in a container.
    const stale = join(made.home, `.reeve-app.conf-${process.pid}-0123456789ab.tmp`)
    writeFileSync(stale, 'half')
    chownSync(stale, web.uid, web.gid)
    await host.removeFileAs(web, join(made.home, '0.conf'))
    expect(readdirSync(made.home).sort()).toEqual(names.slice(1).sort())
  })

  test("is written in no session of root's, and completely, whatever the user interferes with", {
    timeout: 60_000,
  }, async ({ expect }) => {
    await using made = createUserLab()
    await using holder = await startHolder(web)
    // Each is a process of its own, and the user may be too late for some.
    for (let count = 0; count < 1_000 && holder.held().length === 0; count += 1) {
      await host.writeFileAs(web, path(made), `${count}\n`, { mode: 0o600 })
    }
    expect(holder.held().length).toBeGreaterThan(0)
    const own = host.process(process.pid)?.session
    for (const session of holder.held()) expect(session).not.toBe(own)
  })

  test('uses no rights that the user lacks', async ({ expect }) => {
    await using made = createUserLab()
    const closed = join(made.base, 'closed')
    mkdirSync(closed, { mode: 0o700 })
    await expect(host.writeFileAs(web, join(closed, 'file'), 'x', { mode: 0o644 })).rejects.toThrow(/as user games/)
    await expect(host.writeFileAs(web, join(made.base, 'file'), 'x', { mode: 0o644 })).rejects.toThrow(/as user games/)
    await expect(host.writeFileAs(web, path(made), 'x', { mode: 0o644, gid: 6 })).rejects.toThrow(/not permitted/)
    writeFileSync(join(closed, 'file'), 'x')
    await expect(host.removeFileAs(other, join(closed, 'file'))).rejects.toThrow(/as user daemon/)
    expect(readdirSync(made.home)).toEqual([])
    expect(readdirSync(closed)).toEqual(['file'])
  })

  test('replaces a symlink in its place, and follows none in place of its directory', async ({ expect }) => {
    await using made = createUserLab()
    const mine = join(made.home, 'mine')
    writeFileSync(mine, 'mine')
    chownSync(mine, web.uid, web.gid)
    symlinkSync(mine, path(made))
    await host.writeFileAs(web, path(made), 'one\n', { mode: 0o600 })
    expect(readFileSync(mine, 'utf8')).toBe('mine')
    expect(readFileSync(path(made), 'utf8')).toBe('one\n')
    const link = join(made.home, 'link')
    spawnSync('ln', ['-s', made.home, link])
    spawnSync('chown', ['-h', 'games', link])
    await expect(host.writeFileAs(web, join(link, 'x'), 'x', { mode: 0o600 })).rejects.toThrow(/symlink/)
    await expect(host.removeFileAs(web, join(link, 'mine'))).rejects.toThrow(/symlink/)
    mkdirSync(join(made.home, 'directory'))
    await expect(host.writeFileAs(web, join(made.home, 'directory'), 'x', { mode: 0o600 })).rejects.toThrow()
    expect(readdirSync(made.home).sort()).toEqual(['app.conf', 'directory', 'link', 'mine'])
  })

  test('is not put in place if it was truncated, as by a full quota', async ({ expect }) => {
    await using made = createUserLab()
    const small = join(made.base, 'small')
    mkdirSync(small)
    spawnSync('mount', ['-t', 'tmpfs', '-o', `size=64k,uid=${web.uid},mode=0755`, 'tmpfs', small])
    try {
      await host.writeFileAs(web, join(small, 'file'), 'fits', { mode: 0o600 })
      await expect(
        host.writeFileAs(web, join(small, 'file'), Buffer.alloc(1_000_000), { mode: 0o600 }),
      ).rejects.toThrow(/no space left on the device \(ENOSPC\)/)
      expect(readFileSync(join(small, 'file'), 'utf8')).toBe('fits')
      expect(readdirSync(small)).toEqual(['file'])
    } finally {
      spawnSync('umount', [small])
    }
    const large = Buffer.alloc(3_000_000, 'x')
    await host.writeFileAs(web, path(made), large, { mode: 0o600 })
    expect(readFileSync(path(made)).equals(large)).toBe(true)
  })

  test("is not read if it is a hard link to somebody else's file", async ({ expect }) => {
    await using made = createUserLab()
    const secret = join(made.base, 'secret')
    writeFileSync(secret, 'for root alone', { mode: 0o600 })
    linkSync(secret, path(made))
    made.lab.declare('web', {
      process: { ...longRun(), user: web.name },
      adopt: true,
      files: [{ path: path(made), content: 'one\n', mode: '0644' }],
    })
    const plan = await made.lab.plan()
    expect(JSON.stringify(plan)).not.toContain('alone')
    expect(planOf(plan, 'web')?.blocked).toMatch(/isn't looked into/)
  })
})
