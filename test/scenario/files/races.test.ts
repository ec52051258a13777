import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { planText } from '../../../src/cli/plan-text.ts'
import { plainColors } from '../../../src/cli/screen.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { createEngineLab, type EngineLab, longRun } from '../../labs/engine-lab.ts'
import { startMeddling, startSwapping } from '../../tools/path-swapper.ts'

const isRoot = process.getuid?.() === 0
const web = createReadHost().findUser('games') ?? { uid: 0, gid: 0 }

/** Duration of each race, in ms: ten seconds in all. */
const duration = 2_600

const secret = 'for root alone'

/** Root's files: none may be shown, changed, taken or added to. */
interface Private {
  readonly directory: string
  look(): unknown
}

function createPrivate(base: string): Private {
  const directory = join(base, 'private')
  mkdirSync(directory, { mode: 0o700 })
  writeFileSync(join(directory, 'app.conf'), secret, { mode: 0o600 })
  const entries = (path: string): unknown[] =>
    readdirSync(path).map(name => {
      const at = join(path, name)
      const { uid, gid, mode, ino, mtimeMs, ctimeMs } = lstatSync(at)
      return [name, uid, gid, mode, ino, mtimeMs, ctimeMs, readFileSync(at, 'utf8')]
    })
  return { directory, look: () => [lstatSync(directory).mode, lstatSync(directory).uid, entries(directory)] }
}

/** Plans, writes, repairs, changes and removes, whatever others do meanwhile. Returns everything that was shown of it. */
async function goOn(lab: EngineLab, path: string): Promise<string> {
  const shown: unknown[] = []
  let applied = 0
  for (const end = Date.now() + duration; Date.now() < end; applied += 1) {
    const content = `content ${applied % 3}\n`
    if (applied % 4 === 3) lab.withdraw('web')
    else {
      const process = { ...longRun(), user: 'games' }
      lab.declare('web', {
        process,
        adopt: applied % 2 === 0,
        files: [{ path, content, mode: '0644', onChange: 'none' }],
      })
    }
    for (let count = 0; count < 10; count += 1) {
      const plan = await lab.plan()
      shown.push(plan, planText(plan, { colors: plainColors, width: () => undefined }))
    }
    shown.push(await lab.apply())
    if (applied % 4 === 3) lab.declare('web', { process: longRun() })
  }
  return JSON.stringify(shown)
}

interface Scene extends AsyncDisposable {
  readonly lab: EngineLab
  readonly hidden: Private
  readonly home: string
  readonly app: string
  readonly path: string
}

function createScene(): Scene {
  const base = mkdtempSync(join(tmpdir(), 'reeve-races-'))
  chmodSync(base, 0o755)
  const home = join(base, 'home')
  const app = join(home, 'app')
  for (const directory of [home, app]) {
    mkdirSync(directory)
    chownSync(directory, web.uid, web.gid)
  }
  const lab = createEngineLab()
  return {
    lab,
    home,
    app,
    hidden: createPrivate(base),
    path: join(app, 'app.conf'),
    async [Symbol.asyncDispose]() {
      await lab[Symbol.asyncDispose]()
      rmSync(base, { recursive: true, force: true })
    },
  }
}

function makeLink(target: string, path: string): string {
  symlinkSync(target, path)
  lchownSync(path, web.uid, web.gid)
  return path
}

/** Replaces each temporary file of Reeve by a symlink as soon as it exists. */
async function startTakingTemporaries(directory: string, target: string): Promise<AsyncDisposable> {
  const program = `
    my ($directory, $target) = @ARGV;
    chdir $directory or die;
    $| = 1; print "begun\\n";
    for (;;) {
      opendir my $entries, '.' or die;
      for my $name (grep { /^\\.reeve-.*\\.tmp$/ } readdir $entries) {
        unlink $name; symlink $target, $name;
      }
      closedir $entries;
    }
  `
  const child = spawn('perl', ['-e', program, directory, target], {
    uid: web.uid,
    gid: web.gid,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  await once(child.stdout, 'data')
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

describe.runIf(isRoot)(
  'S8: root’s files are neither shown nor touched by a user who is quicker than Reeve when',
  () => {
    test('the declared file is exchanged with a symlink', { timeout: 60_000 }, async ({ expect }) => {
      await using scene = createScene()
      const { lab, hidden, home, path } = scene
      const link = makeLink(join(hidden.directory, 'app.conf'), join(home, 'link'))
      writeFileSync(path, 'theirs\n')
      chownSync(path, web.uid, web.gid)
      const before = hidden.look()
      const trap = join(hidden.directory, 'app.conf')
      const links = [path, link].map((one): [string, string] => [one, trap])
      await using swapper = await startMeddling({ swaps: [[path, link]], links }, web)
      const shown = await goOn(lab, path)
      expect(await swapper.stop()).toBeGreaterThan(1_000)
      expect(shown).not.toContain(secret)
      expect(hidden.look()).toEqual(before)
    })

    test('the declared file is exchanged with a file of root in that directory', { timeout: 60_000 }, async ({
      expect,
    }) => {
      await using scene = createScene()
      const { lab, app, path } = scene
      const key = join(app, 'key')
      writeFileSync(key, secret, { mode: 0o600 })
      writeFileSync(path, 'theirs\n')
      chownSync(path, web.uid, web.gid)
      const before = [lstatSync(key).ino, lstatSync(path).ino].sort()
      await using swapper = await startSwapping(path, key, web)
      const process = { ...longRun(), user: 'games' }
      lab.declare('web', { process, adopt: true, files: [{ path, content: 'ours\n', mode: '0644' }] })
      let shown = ''
      for (const end = Date.now() + duration; Date.now() < end; ) shown += JSON.stringify(await lab.plan())
      expect(await swapper.stop()).toBeGreaterThan(1_000)
      expect(shown).not.toContain(secret)
      // Both states were met: the one is described, the other not read.
      expect(shown).toContain('-theirs')
      expect(shown).toContain("isn't looked into")
      expect([lstatSync(key).ino, lstatSync(path).ino].sort()).toEqual(before)
    })

    test('its directory is exchanged with a symlink', { timeout: 60_000 }, async ({ expect }) => {
      await using scene = createScene()
      const { lab, hidden, home, app, path } = scene
      const link = makeLink(hidden.directory, join(home, 'link'))
      const before = hidden.look()
      await using swapper = await startSwapping(app, link, web)
      const shown = await goOn(lab, path)
      expect(await swapper.stop()).toBeGreaterThan(1_000)
      expect(shown).not.toContain(secret)
      expect(hidden.look()).toEqual(before)
    })

    test('its temporary file is exchanged with a symlink', { timeout: 60_000 }, async ({ expect }) => {
      await using scene = createScene()
      const { lab, hidden, app, path } = scene
      const before = hidden.look()
      await using _taking = await startTakingTemporaries(app, join(hidden.directory, 'app.conf'))
      const shown = await goOn(lab, path)
      expect(shown).not.toContain(secret)
      expect(hidden.look()).toEqual(before)
    })
  },
)
