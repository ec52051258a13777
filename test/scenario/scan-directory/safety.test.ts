import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { type FacilitySpec, isAlive, type Lab, LONG_RUN, withLab } from '../../../src/conformance/lab.ts'
import { scanFamilies, testWhere } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'
import { useHostUser } from '../../tools/host-user.ts'

const isRoot = process.geteuid?.() === 0

/** Limits the wait for services that can't become ready. */
const health = { exec: { command: ['/bin/true'] }, startupTimeout: '5s' }

/** User of this run who tries to redirect root. */
const name = `reeve-safe-${process.pid}`
const user = useHostUser(name)

for (const { scanner, harness } of scanFamilies) {
  const { type } = harness.provider

  describe.skipIf(!has(scanner) || !isRoot).concurrent(type, { timeout: 300_000 }, () => {
    test('S8: a logger runs as the user of its service if that user can write, else as root if only root can', async () => {
      await withLab(harness, async lab => {
        chmodSync(lab.directory, 0o755)
        const places = {
          own: makeDirectory(lab, 'own', 0o755, user),
          // The group of the directory gives the logger no rights.
          lent: makeDirectory(lab, 'lent', 0o755, { uid: user.uid, gid: 0 }),
          shared: makeDirectory(lab, 'shared', 0o775, { uid: 0, gid: user.gid }),
          closed: makeDirectory(lab, 'closed', 0o755),
        }
        const outputOf = (place: string): object => ({ file: join(place, 'a.log') })
        const command = ['/bin/sh', '-c', 'echo hello; exec sleep 1000000']
        const facilities = Object.entries(places).map(
          ([key, place]) => [key, { process: { command, user: name, output: outputOf(place) } }] as const,
        )
        lab.declare(Object.fromEntries(facilities))
        await lab.converge()
        for (const [key, place] of Object.entries(places)) {
          const file = join(place, 'a.log')
          await eventually(`${key} to be logged`, () => existsSync(file) && readFileSync(file, 'utf8') === 'hello\n')
          const owner = key === 'closed' ? { uid: 0, gid: 0 } : { uid: user.uid, gid: user.gid }
          for (const path of [`${file}.d`, `${file}.d/current`]) {
            const { uid, gid } = lstatSync(path)
            expect({ path, uid, gid }).toEqual({ path, ...owner })
          }
          expect(lstatSync(`${file}.d`).mode & 0o027).toBe(0)
        }
      })
    })

    test('S8: root writes no output that others could redirect, nor into files of others, and reports why', async () => {
      await withLab(harness, async lab => {
        chmodSync(lab.directory, 0o755)
        const home = makeDirectory(lab, 'home', 0o755, user)
        const shared = makeDirectory(lab, 'shared', 0o775, { uid: 0, gid: user.gid })
        const made = makeDirectory(lab, 'made', 0o755)
        makeDirectory(lab, 'made/a.log.d', 0o755, user)
        const planted = makeDirectory(lab, 'planted', 0o755)
        makeDirectory(lab, 'planted/a.log.d', 0o750)
        writeFileSync(join(planted, 'a.log.d/config'), '!touch /tmp/never\n')
        chownSync(join(planted, 'a.log.d/config'), user.uid, user.gid)
        const link = join(lab.directory, 'link')
        // An admin's directory that still leads to where the user writes.
        symlinkSync(home, link)
        const places = { home, shared, made, planted, link }
        const before = Object.values(places).map(list)
        // Two facilities can't have one file, however the path is written.
        const fileIn = (place: string): string => join(place, place === link ? 'linked.log' : 'a.log')
        const facilities = Object.entries(places).map(
          ([key, place]) => [key, { health, process: { command: LONG_RUN, output: { file: fileIn(place) } } }] as const,
        )
        lab.declare(Object.fromEntries(facilities))
        await lab.apply()
        for (const [key, part] of Object.entries({ ...places, link: home })) {
          const words =
            key === 'made' || key === 'planted' ? /is not user 0's|others than user 0/ : /lead root elsewhere/
          // The loggers are restarted over and over, and complain each time.
          await eventually(`${key} to be refused`, async () => {
            const complaint = await complaintOf(lab, key)
            return complaint?.includes(part) === true && words.test(complaint)
          })
        }
        expect(Object.values(places).map(list)).toEqual(before)
      })
    })

    test('S8: output that is a device, a pipe, a directory or a link is left alone, and /dev/null works', async () => {
      await withLab(harness, async lab => {
        const directory = makeDirectory(lab, 'logs', 0o755)
        execFileSync('mknod', [join(directory, 'device'), 'c', '1', '3'])
        execFileSync('mkfifo', [join(directory, 'pipe')])
        makeDirectory(lab, 'logs/directory', 0o755)
        writeFileSync(join(directory, 'target'), 'kept\n')
        symlinkSync('target', join(directory, 'link'))
        const kinds = ['device', 'pipe', 'directory', 'link']
        const before = kinds.map(kind => [kind, lstatSync(join(directory, kind)).mode])
        const entries = kinds.map(
          kind => [kind, { health, process: { command: LONG_RUN, output: { file: join(directory, kind) } } }] as const,
        )
        const script = 'echo hello; echo oops >&2; exec sleep 1000000'
        const quiet = { process: { command: ['/bin/sh', '-c', script], output: { file: '/dev/null', keep: 0 } } }
        lab.declare({ ...Object.fromEntries(entries), quiet })
        await lab.apply()
        for (const kind of kinds) {
          const path = join(directory, kind)
          await eventually(`${kind} to be refused`, async () => (await complaintOf(lab, kind))?.includes(path) === true)
        }
        await eventually('what writes to /dev/null', async () => (await lab.observe('quiet')).state === 'running')
        expect(readlinkOf((await lab.observe('quiet')).pid, 1)).toBe('/dev/null')
        expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
        expect(kinds.map(kind => [kind, lstatSync(join(directory, kind)).mode])).toEqual(before)
        expect(readdirSync(directory).sort()).toEqual([...kinds, 'target'].sort())
      })
    })

    test("S8: secrets and environment files are read by root in root's directories, else by the service's user", async () => {
      await withLab(harness, async lab => {
        chmodSync(lab.directory, 0o755)
        const out = makeDirectory(lab, 'out', 0o755, user)
        const home = makeDirectory(lab, 'home', 0o755, user)
        const closed = makeDirectory(lab, 'closed', 0o700)
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
        const home = makeDirectory(lab, 'home', 0o755, user)
        const closed = makeDirectory(lab, 'closed', 0o700)
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
        makeDirectory(lab, 'closed', 0o700)
        const inner = makeDirectory(lab, 'closed/inner', 0o755)
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
        // Command lines are visible.
        await eventually('the watcher to see it', () => {
          execFileSync('/bin/echo', ['visible-proof'])
          return watcher.seen().includes('visible-proof')
        })
        lab.declare({ web: { process: declared } })
        await lab.converge()
        for (const _ of [1, 2, 3]) {
          await lab.control.act('reload', 'web')
          await lab.control.act('restart', 'web')
        }
        expect([...new Set(watcher.seen().match(/visible-\w+/g))]).toEqual(['visible-proof'])
        const records = dirname(await pathOf(lab, 'reeve/stop'))
        const modes = readdirSync(records)
          .filter(one => ['claim', 'loaded', 'launched', 'ended', 'problem'].includes(one))
          .map(one => [one, lstatSync(join(records, one)).mode & 0o777])
        expect(modes.length).toBeGreaterThanOrEqual(4)
        expect(modes.filter(([, mode]) => mode !== 0o600)).toEqual([])
        expect(lstatSync(await pathOf(lab, 'run')).mode & 0o077).toBe(0)
        await lab.control.act('stop', 'web')
      })
    })

    test('S9: records that everybody could read become private with the next definition', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: { process: { command: LONG_RUN } } })
        await lab.converge()
        const loaded = join(dirname(await pathOf(lab, 'reeve/stop')), 'loaded')
        chmodSync(loaded, 0o644)
        lab.declare({ web: { process: { command: LONG_RUN, environment: { NEW: 'yes' } } } })
        await lab.converge()
        expect(lstatSync(loaded).mode & 0o777).toBe(0o600)
      })
    })

    test('S8: a process of another user that is named like the scanner is no scanner', async () => {
      await withLab(harness, async lab => {
        const services = String(lab.supervisor.options.serviceDirectory)
        const liar = spawn('/bin/sh', ['-c', 'sleep 1000000; :', services], { argv0: scanner, cwd: '/', ...user })
        try {
          chmodSync(lab.directory, 0o755)
          chmodSync(dirname(services), 0o755)
          await eventually('the liar to run', () =>
            readFileSync(`/proc/${liar.pid}/cmdline`, 'utf8').includes(services),
          )
          // It is then the first of the two.
          await lab.supervisor.boot()
          lab.declare({ web: { process: { command: LONG_RUN } } })
          await lab.converge()
          expect((await lab.observe('web')).state).toBe('running')
        } finally {
          killTree(liar)
        }
      })
    })

    test('S8: a status that another user can forge causes no signal, and is reported', async () => {
      await withLab(harness, async lab => {
        const victim = spawn('sleep', ['1000000'], { stdio: 'ignore' })
        try {
          lab.declare({ web: { process: { command: LONG_RUN, reload: { signal: 'USR1' } } } })
          await lab.converge()
          const supervise = join(dirname(await pathOf(lab, 'run')), 'supervise')
          chownSync(supervise, user.uid, user.gid)
          writeFileSync(join(supervise, 'forged'), forgeStatus(type, victim.pid ?? 0))
          renameSync(join(supervise, 'forged'), join(supervise, 'status'))
          writeFileSync(join(supervise, 'pid'), `${victim.pid}\n`)
          const found = await lab.observe('web')
          expect(found.state).toBe('unknown')
          expect(found.message).toContain(`nothing in ${supervise} can be believed: ${supervise} (owner ${user.uid}`)
          for (const verb of ['start', 'stop', 'reload'] as const) {
            await expect(lab.control.act(verb, 'web')).rejects.toThrow(/can be believed|is unknown/)
          }
          expect(isAlive(victim.pid ?? 0)).toBe(true)
          chownSync(supervise, 0, 0)
        } finally {
          victim.kill('SIGKILL')
        }
      })
    })

    test('S8: a user who is given the pipes and the status of a service cannot disturb others', async () => {
      await withLab(harness, async lab => {
        const victim = spawn('sleep', ['1000000'], { stdio: 'ignore' })
        try {
          lab.declare({ web: { process: { command: LONG_RUN } } })
          await lab.converge()
          const supervise = join(dirname(await pathOf(lab, 'run')), 'supervise')
          chmodSync(supervise, 0o755)
          const give = (): void => {
            for (const file of readdirSync(supervise)) {
              if (['ok', 'control', 'status'].includes(file)) chownSync(join(supervise, file), user.uid, user.gid)
            }
          }
          give()
          const first = await lab.observe('web')
          expect(first).toMatchObject({ state: 'running', supervised: true })
          await lab.control.act('stop', 'web')
          give()
          expect((await lab.observe('web')).state).toBe('stopped')
          await lab.control.act('start', 'web')
          give()
          await lab.control.act('restart', 'web')
          const { pid } = await lab.observe('web')
          writeFileSync(join(supervise, 'status'), forgeStatus(type, victim.pid ?? 0))
          give()
          expect(await lab.observe('web')).toMatchObject({
            state: 'unknown',
            message: expect.stringContaining('others than root can write'),
          })
          await expect(lab.control.act('reload', 'web')).rejects.toThrow()
          expect([isAlive(victim.pid ?? 0), isAlive(pid ?? 0)]).toEqual([true, true])
        } finally {
          victim.kill('SIGKILL')
        }
      })
    })

    test('S8: a definition that is given to a user is left alone, and the plan says so', async () => {
      await withLab(harness, async lab => {
        lab.declare({ web: { process: { command: LONG_RUN } } })
        await lab.converge()
        const directory = dirname(await pathOf(lab, 'run'))
        chownSync(directory, user.uid, user.gid)
        lab.declare({ web: { process: { command: LONG_RUN, environment: { NEW: 'yes' } } } })
        const words = `nothing in ${directory} can be believed: ${directory} (owner ${user.uid}`
        const [planned] = (await lab.plan()).facilities
        expect(planned?.steps).toEqual([])
        expect(planned?.blocked).toContain(words)
        expect(planned?.blocked).toContain(`chown root ${directory}`)
        // Its removal is not retried over and over either.
        lab.declare({})
        expect((await lab.apply()).stepsDone).toBe(0)
        chownSync(directory, 0, 0)
        await lab.converge()
        expect(existsSync(directory)).toBe(false)
      })
    })

    // s6 learns it from the exit code of the finish script.
    testWhere(isRoot && type !== 's6')('S8: scripts write to no link in the place of a pipe', async () => {
      await withLab(harness, async lab => {
        const precious = join(lab.directory, 'precious')
        writeFileSync(precious, 'root')
        const go = join(lab.directory, 'go')
        const command = ['/bin/sh', '-c', `while [ ! -e ${go} ]; do sleep 0.05; done`]
        lab.declare({ web: { process: { command, restart: { policy: 'never' } } } })
        await lab.converge()
        const directory = dirname(await pathOf(lab, 'run'))
        const control = join(directory, 'supervise/control')
        chownSync(join(directory, 'supervise'), user.uid, user.gid)
        renameSync(control, `${control}.was`)
        symlinkSync(precious, control)
        writeFileSync(go, '')
        await eventually('it to end', () => existsSync(join(directory, 'reeve/ended')))
        // Nobody could tell it to stay down.
        const first = readFileSync(join(directory, 'reeve/launched'), 'utf8')
        await eventually('another start', () => readFileSync(join(directory, 'reeve/launched'), 'utf8') !== first)
        expect(readFileSync(precious, 'utf8')).toBe('root')
        rmSync(control)
        renameSync(`${control}.was`, control)
        chownSync(join(directory, 'supervise'), 0, 0)
      })
    })
  })
}

function makeDirectory(lab: Lab, path: string, mode: number, { uid, gid } = { uid: 0, gid: 0 }): string {
  const directory = join(lab.directory, path)
  mkdirSync(directory)
  chownSync(directory, uid, gid)
  chmodSync(directory, mode)
  return directory
}

/** Everything below, with owners. */
function list(directory: string): string[] {
  return readdirSync(directory, { recursive: true })
    .map(path => `${path} ${lstatSync(join(directory, String(path))).uid}`)
    .sort()
}

/** Problems reported by the plan or in the observation. */
async function complaintOf(lab: Lab, facility: string): Promise<string | undefined> {
  const planned = (await lab.plan()).facilities.find(one => one.name === facility)
  return planned?.blocked ?? (await lab.observe(facility)).message
}

async function pathOf(lab: Lab, file: string): Promise<string> {
  const found = (await lab.definitionPaths('web')).find(path => path.endsWith(`/web/${file}`))
  if (found === undefined) throw new Error(`there is no ${file} in the definition`)
  return found
}

function readlinkOf(pid: number | undefined, fd: number): string {
  return execFileSync('readlink', [`/proc/${pid}/fd/${fd}`], { encoding: 'utf8' }).trim()
}

/** Status of running, or finishing where that exists, with somebody else's pid. */
function forgeStatus(type: string, pid: number): Buffer {
  const status = Buffer.alloc({ runit: 20, s6: 35, daemontools: 18 }[type] ?? 0)
  status.writeBigUInt64BE(0x4000000000000000n + BigInt(Math.floor(Date.now() / 1_000)), 0)
  if (type === 's6') {
    status.writeBigUInt64BE(BigInt(pid), 24)
    // Finishing, and wanted up.
    status.writeUInt8(2 | 4, 34)
    return status
  }
  status.writeUInt32LE(pid, 12)
  status.write('u', 17)
  if (type === 'runit') status.writeUInt8(2, 19)
  return status
}

function killTree(child: ChildProcess): void {
  execFileSync('sh', ['-c', `for p in $(cat /proc/${child.pid}/task/*/children); do kill -9 $p; done`])
  child.kill('SIGKILL')
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
