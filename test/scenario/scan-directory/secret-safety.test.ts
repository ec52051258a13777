import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { type FacilitySpec, LONG_RUN, withLab } from '../../../src/conformance/lab.ts'
import { definitionPath, makeDirectoryIn, scanFamilies } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'
import { useHostUser } from '../../tools/host-user.ts'

const isRoot = process.geteuid?.() === 0

/** User of this run who tries to redirect root. */
const name = `reeve-safe-${process.pid}`
const user = useHostUser(name)

for (const { scanner, harness } of scanFamilies) {
  const { type } = harness.provider

  describe.skipIf(!has(scanner) || !isRoot).concurrent(type, { timeout: 300_000 }, () => {
    test("S8: secrets and environment files are read by root in root's directories, else by the service's user", async () => {
      await withLab(harness, async lab => {
        chmodSync(lab.directory, 0o755)
        const out = makeDirectoryIn(lab, 'out', 0o755, user)
        const home = makeDirectoryIn(lab, 'home', 0o755, user)
        const closed = makeDirectoryIn(lab, 'closed', 0o700)
        writeFileSync(join(closed, 'secret'), 'for root alone\n', { mode: 0o600 })
        writeFileSync(join(closed, 'env'), 'LISTED="from root"\nLD_LISTED=late\n', { mode: 0o600 })
        writeFileSync(join(home, 'secret'), 'of the user\n', { mode: 0o600 })
        writeFileSync(join(home, 'env'), 'OWN=listed\nHOME=/elsewhere\n', { mode: 0o600 })
        symlinkSync('../closed/secret', join(home, 'trap'))
        for (const file of ['secret', 'env', 'trap']) lchownSync(join(home, file), user.uid, user.gid)
        const service = (key: string, environment: object, more: object = {}): [string, FacilitySpec] => {
          const seen = join(out, key)
          const script = `env -0 >${seen}.new && mv ${seen}.new ${seen}; exec sleep 1000000`
          return [key, { process: { command: ['/bin/sh', '-c', script], user: name, environment, ...more } }]
        }
        const fromFile = (...parts: string[]): object => ({ fromFile: join(lab.directory, ...parts) })
        const [good, facility] = service(
          'good',
          { ROOTS: fromFile('closed/secret'), OWN_SECRET: fromFile('home/secret'), LD_SECRET: fromFile('home/secret') },
          { environmentFiles: [join(closed, 'env'), join(home, 'env')] },
        )
        lab.declare({ [good]: facility })
        await lab.converge()
        await eventually('the environment', () => existsSync(join(out, 'good')))
        const seen = readFileSync(join(out, 'good'), 'utf8').split('\0')
        expect(seen).toEqual(
          expect.arrayContaining([
            'ROOTS=for root alone',
            'OWN_SECRET=of the user',
            'LD_SECRET=of the user',
            'LISTED=from root',
            'LD_LISTED=late',
            'OWN=listed',
            'HOME=/elsewhere',
            `USER=${name}`,
          ]),
        )
        expect(seen.filter(pair => pair.includes('__reeve'))).toEqual([])

        lab.declare({
          ...Object.fromEntries([
            service('trapped', { STOLEN: fromFile('home/trap') }),
            service('listed', {}, { environmentFiles: [join(home, 'trap')] }),
            service('roots', { STOLEN: fromFile('home/trap') }, { user: 'root' }),
          ]),
        })
        const outcome = await lab.apply({ allowRemovals: 10 })
        const told = [...outcome.failed, ...outcome.notReady]
        const failures = Object.fromEntries(told.map(({ facility: one, message }) => [one, message]))
        for (const key of ['trapped', 'listed']) {
          expect(failures[key]).toContain(`cannot read ${join(home, 'trap')} as user ${user.uid}`)
        }
        const roots = outcome.plan.facilities.find(({ name: one }) => one === 'roots')
        expect(roots?.blocked).toMatch(/root cannot use .*home\/trap.*home \(owner \d+.*lead root elsewhere/)
        expect(readdirSync(out)).toEqual(['good'])
      })
    })

    test('S8: a configuration file that its owner replaces by a link to a pipe of root is not opened', async () => {
      await withLab(harness, async lab => {
        chmodSync(lab.directory, 0o755)
        const home = makeDirectoryIn(lab, 'home', 0o755, user)
        const closed = makeDirectoryIn(lab, 'closed', 0o700)
        const pipe = join(closed, 'pipe')
        execFileSync('mkfifo', ['-m', '0600', pipe])
        const path = join(home, 'app.conf')
        const file = { path, content: 'a = 1\n', owner: name }
        lab.declare({ web: { process: { command: LONG_RUN, user: name }, files: [file] } })
        await lab.converge()
        // Opening the pipe would wait for a writer and delay the start.
        rmSync(path)
        symlinkSync(pipe, path)
        lchownSync(path, user.uid, user.gid)
        await lab.control.act('restart', 'web')
        await eventually('it to run', async () => (await lab.observe('web')).state === 'running')
        expect((await lab.observe('web')).loaded?.files[path]).toBe('absent')
        rmSync(path)
        await lab.converge()
        expect(readFileSync(path, 'utf8')).toBe('a = 1\n')
      })
    })

    test("S8: the working directory is entered as the service's user", async () => {
      await withLab(harness, async lab => {
        chmodSync(lab.directory, 0o755)
        makeDirectoryIn(lab, 'closed', 0o700)
        const inner = makeDirectoryIn(lab, 'closed/inner', 0o755)
        lab.declare({ web: { process: { command: LONG_RUN, user: name, workingDirectory: inner } } })
        const { failed } = await lab.apply()
        expect(failed[0]?.message).toContain(`cannot enter the working directory ${inner} as user ${user.uid}`)
        expect((await lab.observe('web')).state).not.toBe('running')
      })
    })

    test('S9: no value of a variable is on a command line, and records are private', async () => {
      await withLab(harness, async lab => {
        chmodSync(lab.directory, 0o755)
        const secret = join(lab.directory, 'secret')
        const file = join(lab.directory, 'env')
        writeFileSync(secret, 'visible-secret')
        writeFileSync(file, 'LISTED=visible-listed\nLD_LISTED=visible-late\nIFS=visible-ifs\n')
        const environment = {
          PLAIN: 'visible-plain',
          PATH: '/usr/bin:/bin:/visible-path',
          LD_WORD: 'visible-word',
          SECRET: { fromFile: secret },
          LD_SECRET: { fromFile: secret },
        }
        const declared = {
          command: LONG_RUN,
          user: name,
          environment,
          environmentFiles: [file],
          reload: { command: ['/bin/true'] },
        }
        await using watcher = startWatching('visible-')
        // Command lines are visible, even of processes that end at once: on a busy machine it sees one of many.
        const proof = join(lab.directory, 'proof')
        writeFileSync(proof, '/bin/echo visible-proof\n'.repeat(50))
        await eventually('the watcher to see it', () => {
          execFileSync('/bin/sh', [proof])
          return watcher.seen().includes('visible-proof')
        })
        lab.declare({ web: { process: declared } })
        await lab.converge()
        for (const _ of [1, 2, 3]) {
          await lab.control.act('reload', 'web')
          await lab.control.act('restart', 'web')
        }
        expect([...new Set(watcher.seen().match(/visible-\w+/g))]).toEqual(['visible-proof'])
        const records = dirname(await definitionPath(lab, 'reeve/stop'))
        const modes = readdirSync(records)
          .filter(one => ['claim', 'loaded', 'launched', 'ended', 'problem'].includes(one))
          .map(one => [one, lstatSync(join(records, one)).mode & 0o777])
        expect(modes.length).toBeGreaterThanOrEqual(4)
        expect(modes.filter(([, mode]) => mode !== 0o600)).toEqual([])
        expect(lstatSync(await definitionPath(lab, 'run')).mode & 0o077).toBe(0)
        await lab.control.act('stop', 'web')
      })
    })

    test('S9: records that everybody could read become private with the next definition', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: { process: { command: LONG_RUN } } })
        await lab.converge()
        const loaded = join(dirname(await definitionPath(lab, 'reeve/stop')), 'loaded')
        chmodSync(loaded, 0o644)
        lab.declare({ web: { process: { command: LONG_RUN, environment: { NEW: 'yes' } } } })
        await lab.converge()
        expect(lstatSync(loaded).mode & 0o777).toBe(0o600)
      })
    })
  })
}

/** Reads all command lines at full speed, as every user can, and keeps those with that text. */
function startWatching(text: string): { seen(): string } & AsyncDisposable {
  const program = `
    my $text = shift;
    $| = 1;
    for (;;) {
      opendir(my $proc, '/proc');
      for my $pid (grep { /^\\d+$/ && $_ != $$ } readdir $proc) {
        open(my $file, '<', "/proc/$pid/cmdline") or next;
        local $/;
        my $line = <$file> // '';
        print "$line\\n" if index($line, $text) >= 0;
      }
    }`
  const child = spawn('perl', ['-e', program, text], { ...user, cwd: '/', stdio: ['ignore', 'pipe', 'ignore'] })
  let seen = ''
  child.stdout.on('data', chunk => {
    seen += String(chunk)
  })
  return {
    seen: () => seen,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
    },
  }
}
