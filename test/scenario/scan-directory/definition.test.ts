import { execFile, execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { LONG_RUN, withLab } from '../../../src/conformance/lab.ts'
import { runitHarness, s6Harness, scanFamilies, serviceDirectoryOf } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'

const isRoot = process.geteuid?.() === 0

/** User of this run, and a supplementary group of it. */
const account = { user: `reeve-user-${process.pid}`, group: `reeve-group-${process.pid}` }

beforeAll(() => {
  if (!isRoot) return
  run('groupadd', account.group)
  run('useradd', '--user-group', '--groups', account.group, '--home-dir', '/nonexistent', account.user)
})

afterAll(() => {
  if (!isRoot) return
  run('userdel', account.user)
  run('groupdel', account.group)
})

/** Shell command that writes its file atomically, as a reader must not see half of it. */
function writesTo(path: string, commands: string): string {
  return `{ ${commands}; } >'${path}.new' && mv '${path}.new' '${path}'`
}

for (const { scanner, harness, groupHarness } of scanFamilies) {
  const { type } = harness.provider
  const hasFinish = scanner !== 'svscan'

  describe.skipIf(!has(scanner)).concurrent(type, { timeout: 300_000 }, () => {
    test('a service may have any name that its scanner accepts, as an existing one may', async () => {
      await withLab(harness, async lab => {
        const spec = (more: object = {}) => ({
          serviceName: '_g++~a=b,c@1:2',
          process: { command: LONG_RUN, environment: { A: '1' }, reload: { signal: 'CONT' }, ...more },
        })
        lab.declare({ web: spec() })
        await lab.converge()
        const { pid } = await lab.observe('web')
        await lab.control.act('reload', 'web')
        expect(await lab.observe('web')).toMatchObject({ state: 'running', supervised: true, pid })
        lab.declare({ web: spec({ environment: { A: '2' } }) })
        await lab.converge()
        expect((await lab.observe('web')).pid).not.toBe(pid)
        expect((await lab.plan()).summary).toMatchObject({ change: 0, repair: 0, unchanged: 1 })
        lab.declare({ web: { ...spec(), serviceName: 'a\\x2db' }, other: { ...spec(), serviceName: '.hidden' } })
        const { facilities } = await lab.plan()
        expect(facilities.map(({ blocked }) => blocked)).toEqual([
          expect.stringContaining('expected a name of letters, digits and _ . @ : + , = ~ -'),
          expect.stringContaining('expected a name of letters'),
        ])
        lab.declare({})
        await lab.converge()
        expect((await lab.observe('web')).state).toBe('absent')
      })
    })

    test('a file that was missing at a start, or at a reload, is recorded as absent', async () => {
      await withLab(harness, async lab => {
        const path = join(lab.directory, 'a\\b c.conf')
        const files = [{ path, content: 'a = 1\n' }]
        lab.declare({ web: { process: { command: LONG_RUN, reload: { signal: 'CONT' } }, files } })
        await lab.converge()
        const told = async (): Promise<string | undefined> => (await lab.observe('web')).loaded?.files[path]
        const digest = await told()
        expect(digest).toMatch(/^[0-9a-f]{64}$/)
        for (const verb of ['reload', 'restart'] as const) {
          rmSync(path)
          await lab.control.act(verb, 'web')
          await eventually('it to run', async () => (await lab.observe('web')).state === 'running')
          expect(await told()).toBe('absent')
          // The file is read now.
          expect((await lab.plan()).facilities[0]?.steps.map(step => step.verb)).toContain('restart')
          await lab.converge()
          expect(await told()).toBe(digest)
        }
      })
    })

    test.skipIf(!isRoot)('user, group, limits, umask and environment files reach a real process', async () => {
      await withLab(harness, async lab => {
        const out = join(lab.directory, 'out')
        mkdirSync(out)
        const seen = join(out, 'seen')
        const file = join(lab.directory, 'env')
        writeFileSync(file, '# what is set here\nGREETING="good day"\nPLACE=here\n')
        const words = 'id -un; id -gn; ulimit -n; umask; echo "$GREETING $PLACE $HOME"'
        const declared = {
          command: ['/bin/sh', '-c', `${writesTo(seen, words)}; exec sleep 1000000`],
          user: 'nobody',
          group: 'daemon',
          limits: { nofile: 1_234 },
          umask: '0002',
          environmentFiles: [file],
          environment: { PLACE: 'there' },
        }
        // The files written there belong to another user.
        chmodSync(lab.directory, 0o755)
        chmodSync(out, 0o777)
        lab.declare({ web: { process: declared } })
        await lab.converge()
        await eventually('it to tell what it is', () => existsSync(seen))
        const [user, group, limit, umask, rest] = readFileSync(seen, 'utf8').split('\n')
        expect({ user, group, limit, umask, rest }).toEqual({
          user: 'nobody',
          group: 'daemon',
          limit: '1234',
          umask: '0002',
          rest: 'good day there /nonexistent',
        })
      })
    })

    test.skipIf(!isRoot)(
      'a user brings its supplementary groups, a group alone none, and the scanner passes on none of its own',
      async () => {
        await withLab(groupHarness, async lab => {
          const { user } = account
          const process = { command: LONG_RUN }
          lab.declare({
            user: { process: { ...process, user } },
            both: { process: { ...process, user, group: 'daemon' } },
            group: { process: { ...process, group: 'daemon' } },
          })
          await lab.converge()
          const daemon = numberOf('group', 'daemon')
          const [uid, own, further] = [
            numberOf('passwd', user),
            numberOf('group', user),
            numberOf('group', account.group),
          ]
          const identify = async (name: string): Promise<object> => identityOf((await lab.observe(name)).pid ?? 0)
          expect(await identify('user')).toEqual({ uid, gid: own, others: [further] })
          expect(await identify('both')).toEqual({ uid, gid: daemon, others: [own, further].sort() })
          expect(await identify('group')).toEqual({ uid: '0', gid: daemon, others: [] })
        })
      },
    )

    test('a reload is the declared signal or command', async () => {
      await withLab(harness, async lab => {
        const seen = join(lab.directory, 'seen')
        const up = join(lab.directory, 'up')
        const script = `trap 'echo signal >>${seen}' USR1; : >${up}; while :; do sleep 0.05; done`
        const command = ['/bin/sh', '-c', script]
        const reloader = ['/bin/sh', '-c', `echo "$MAINPID $WORD" >>${seen}`]
        const environment = { WORD: 'command' }
        lab.declare({
          signal: { process: { command, reload: { signal: 'USR1' } } },
          command: { process: { command: LONG_RUN, environment, reload: { command: reloader } } },
          failing: { process: { command: LONG_RUN, reload: { command: ['/bin/sh', '-c', 'echo no >&2; exit 3'] } } },
        })
        await lab.converge()
        await eventually('the trap to be set', () => existsSync(up))
        const { pid } = await lab.observe('command')
        await lab.control.act('reload', 'signal')
        await eventually('the signal to be seen', () => existsSync(seen))
        await lab.control.act('reload', 'command')
        expect(readFileSync(seen, 'utf8')).toBe(`signal\n${pid} command\n`)
        await expect(lab.control.act('reload', 'failing')).rejects.toThrow(
          'its reload command ended with exit code 3: no',
        )
      })
    })

    test('a native run script runs unchanged, and is replaced when its text changes', async () => {
      await withLab(harness, async lab => {
        const seen = join(lab.directory, 'seen')
        const run = (word: string): string => `#!/bin/sh\necho ${word} >>${seen}\nexec sleep 1000000\n`
        lab.declare({ web: { config: { [type]: { run: run('one') } } } })
        await lab.converge()
        const first = await lab.observe('web')
        expect(first).toMatchObject({ state: 'running', supervised: true, enabled: true })
        expect((await lab.plan()).summary.unchanged).toBe(1)
        await eventually('it to have run', () => existsSync(seen) && readFileSync(seen, 'utf8') === 'one\n')
        lab.declare({ web: { config: { [type]: { run: run('two') } } } })
        await lab.converge()
        expect((await lab.observe('web')).pid).not.toBe(first.pid)
        await eventually('the new one to have run', () => readFileSync(seen, 'utf8') === 'one\ntwo\n')
      })
    })

    test.skipIf(!isRoot)('a native run script beside a process runs in the declared environment', async () => {
      await withLab(harness, async lab => {
        const seen = join(lab.directory, 'out/seen')
        mkdirSync(join(lab.directory, 'out'))
        chmodSync(lab.directory, 0o755)
        chmodSync(join(lab.directory, 'out'), 0o777)
        const run = `#!/bin/sh\n${writesTo(seen, 'id -un; umask; pwd; echo "$PLACE"')}; exec sleep 1000000\n`
        const declared = {
          command: ['/bin/false'],
          user: 'nobody',
          umask: '0002',
          workingDirectory: '/usr',
          environment: { PLACE: 'there' },
        }
        lab.declare({ web: { process: declared, config: { [type]: { run } } } })
        await lab.converge()
        await eventually('it to tell what it is', () => existsSync(seen))
        expect(readFileSync(seen, 'utf8')).toBe('nobody\n0002\n/usr\nthere\n')
      })
    })

    test('native log and finish scripts are run', async () => {
      await withLab(harness, async lab => {
        const logged = join(lab.directory, 'logged')
        const finished = join(lab.directory, 'finished')
        const run = '#!/bin/sh\necho hello\nexec sleep 1000000\n'
        const logRun = `#!/bin/sh\nexec cat >>${logged}\n`
        const finish = `#!/bin/sh\necho "$1 $2" >>${finished}\n`
        lab.declare({ web: { config: { [type]: { run, logRun, ...(hasFinish && { finish }) } } } })
        await lab.converge()
        await eventually(
          'what it says to be logged',
          () => existsSync(logged) && readFileSync(logged, 'utf8') === 'hello\n',
        )
        await lab.control.act('stop', 'web')
        expect(existsSync(finished) && readFileSync(finished, 'utf8')).toBe(hasFinish && '-1 15\n')
      })
    })

    test('the log is rotated, and only the declared amount is kept', async () => {
      await withLab(harness, async lab => {
        const file = join(lab.directory, 'web.log')
        const stop = join(lab.directory, 'stop')
        const line = 'x'.repeat(99)
        const command = ['/bin/sh', '-c', `while [ ! -e ${stop} ]; do echo ${line}; done; echo end; exec sleep 1000000`]
        const maxSize = 8 * 1_024
        lab.declare({ web: { process: { command, output: { file, maxSize: '8KiB', keep: 2 } } } })
        await lab.converge()
        const kept = (): string[] => readdirSync(`${file}.d`).filter(name => name.startsWith('@'))
        const oldest = await firstKept(kept)
        await eventually('the oldest to be gone', () => !kept().includes(oldest))
        writeFileSync(stop, '')
        const hasEnd = (name: string): boolean => readQuietly(join(`${file}.d`, name)).endsWith('end\n')
        await eventually('all to be written', () => [...kept(), 'current'].some(hasEnd))
        await eventually('no more than two to be left', () => kept().length <= 2)
        for (const name of kept()) expect(statSync(join(`${file}.d`, name)).size).toBeLessThanOrEqual(maxSize + 200)
        expect(readFileSync(file, 'utf8')).toMatch(/^(x{99}\n)*(end\n)?$/)
      })
    })
  })
}

describe.skipIf(!has('s6-svscan')).concurrent('s6', { timeout: 300_000 }, () => {
  test('a service with readiness notification is starting until it notifies', async () => {
    await withLab(s6Harness, async lab => {
      const go = join(lab.directory, 'go')
      const command = ['/bin/sh', '-c', `while [ ! -e ${go} ]; do sleep 0.05; done; echo >&3; exec sleep 1000000`]
      lab.declare({ web: { process: { command }, config: { s6: { notificationFd: 3 } } } })
      const applied = lab.apply()
      await eventually('it to be waited for', async () => {
        const { state, message } = await lab.observe('web')
        return state === 'starting' && message === 'it has not said yet that it is ready'
      })
      const { troubles, facilities } = await lab.plan()
      expect(facilities.flatMap(({ steps }) => steps)).toEqual([])
      const message = expect.stringMatching(/^starting: it has not said yet that it is ready \(since 20.*Z\)$/)
      expect(troubles).toEqual([{ facility: 'web', reason: 'Starting', message }])
      writeFileSync(go, '')
      await applied
      await eventually('it to be ready', async () => (await lab.observe('web')).state === 'running')
      expect((await lab.converge()).stepsDone).toBe(0)
    })
  })

  test('a finish script may take longer than the five seconds of s6-supervise', async () => {
    await withLab(s6Harness, async lab => {
      const finished = join(lab.directory, 'finished')
      const finish = `#!/bin/sh\nsleep 6\n: >${finished}\n`
      const declared = { command: LONG_RUN, stop: { timeout: '2s' }, restart: { delay: '3s' } }
      lab.declare({ web: { process: declared, config: { s6: { finish } } } })
      await lab.converge()
      const [path = ''] = (await lab.definitionPaths('web')).filter(name => name.endsWith('/timeout-finish'))
      expect(readFileSync(path, 'utf8')).toBe('15000\n')
      await lab.control.act('stop', 'web')
      expect(existsSync(finished)).toBe(true)
    })
  })
})

describe.skipIf(!has('runsvdir')).concurrent('runit', { timeout: 300_000 }, () => {
  for (const reader of isRoot ? ['root', 'nobody'] : ['whoever runs it']) {
    test(`a facility whose output ${reader} writes moves to the built-in supervisor and back, and keeps all of it`, async () => {
      await withLab(runitHarness, async lab => {
        const directory = join(lab.directory, 'logs')
        const file = join(directory, 'web.log')
        chmodSync(lab.directory, 0o755)
        mkdirSync(directory)
        const user = reader === 'nobody' ? { user: 'nobody' } : {}
        if (reader === 'nobody') chownSync(directory, 65_534, 65_534)
        const web = (supervisor: string) => {
          const command = ['/bin/sh', '-c', `echo under ${supervisor}; exec sleep 1000000`]
          return { web: { supervisor, process: { command, output: { file }, ...user } } }
        }
        lab.declare(web('lab'))
        await lab.converge()
        const hasLine = (path: string, line: string) => () =>
          existsSync(path) && readFileSync(path, 'utf8').includes(line)
        await eventually('the logger to write', hasLine(file, 'under lab'))
        lab.declare(web('process'))
        await lab.converge()
        await eventually('the file to be written', hasLine(file, 'under process'))
        expect(lstatSync(file).isFile()).toBe(true)
        expect(readFileSync(`${file}.d/current`, 'utf8')).toContain('under lab')
        lab.declare(web('lab'))
        await lab.converge()
        await eventually('the link to be back', () => lstatSync(file).isSymbolicLink())
        expect(readFileSync(`${file}.d/before`, 'utf8')).toContain('under process')
        await eventually('the logger to write again', () => readFileSync(file, 'utf8').split('under lab').length === 3)
        lab.declare({})
        await lab.converge()
      })
    })
  }

  test('native control scripts replace signals, by Reeve and manually, and are removed when no longer declared', async () => {
    await withLab(runitHarness, async lab => {
      const seen = join(lab.directory, 'seen')
      const up = join(lab.directory, 'up')
      const traps = ['TERM', 'HUP', 'INT', 'USR1'].map(signal => `trap 'echo ${signal} >>${seen}' ${signal}`).join('; ')
      const command = ['/bin/sh', '-c', `${traps}; trap 'exit 0' QUIT; : >${up}; while :; do sleep 0.05; done`]
      const script = (letter: string, signal: string): string =>
        `#!/bin/sh\necho ${letter} >>${seen}\nkill -${signal} "$(cat supervise/pid)"\n`
      const control = { t: script('t', 'QUIT'), h: script('h', 'INT'), 1: script('1', 'USR1') }
      const process = { command, reload: { signal: 'HUP' } }
      writeFileSync(seen, '')
      lab.declare({ web: { process, config: { runit: { control } } } })
      await lab.converge()
      await eventually('the traps to be set', () => existsSync(up))
      await lab.control.act('reload', 'web')
      await eventually('the signal of the script', () => readFileSync(seen, 'utf8') === 'h\nINT\n')
      await sv('1', await serviceDirectoryOf(lab))
      await eventually('that by hand', () => readFileSync(seen, 'utf8') === 'h\nINT\n1\nUSR1\n')
      await lab.control.act('stop', 'web')
      expect(readFileSync(seen, 'utf8')).toBe('h\nINT\n1\nUSR1\nt\n')
      lab.declare({ web: { process } })
      await lab.converge()
      const directory = await serviceDirectoryOf(lab)
      expect(readdirSync(join(directory, 'control'))).toEqual(['t'])
      expect(readFileSync(join(directory, 'control/t'), 'utf8')).toContain('Made by Reeve')
    })
  })

  test('a native check is what sv waits for, and is removed when no longer declared', async () => {
    await withLab(runitHarness, async lab => {
      const ready = join(lab.directory, 'ready')
      const check = `#!/bin/sh\nexec test -e ${ready}\n`
      const process = { command: LONG_RUN }
      lab.declare({ web: { process, config: { runit: { check } } } })
      await lab.converge()
      const directory = await serviceDirectoryOf(lab)
      await expect(sv('check', directory)).rejects.toMatchObject({ stdout: expect.stringContaining('timeout: run: ') })
      writeFileSync(ready, '')
      expect(await sv('check', directory)).toContain('ok: run: ')
      lab.declare({ web: { process } })
      await lab.converge()
      expect(existsSync(join(directory, 'check'))).toBe(false)
    })
  })
})

/** Waits for a second at most. */
async function sv(verb: string, directory: string): Promise<string> {
  return (await promisify(execFile)('sv', ['-w', '1', verb, directory])).stdout
}

/** A rotated file may be gone meanwhile. */
function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

async function firstKept(kept: () => string[]): Promise<string> {
  await eventually('a first file to be put aside', () => kept().length > 0)
  return kept()[0] ?? ''
}

function run(program: string, ...words: readonly string[]): string {
  return execFileSync(program, words, { encoding: 'utf8' })
}

function numberOf(database: 'passwd' | 'group', name: string): string {
  return run('getent', database, name).split(':')[2] ?? ''
}

/** Groups as the kernel reports them; a group may be listed twice. */
function identityOf(pid: number): { uid: string; gid: string; others: string[] } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const read = (field: string): string[] =>
    new RegExp(`^${field}:(.*)$`, 'm').exec(status)?.[1]?.trim().split(/\s+/).filter(Boolean) ?? []
  const [[uid = ''], [gid = '']] = [read('Uid'), read('Gid')]
  return {
    uid,
    gid,
    others: read('Groups')
      .filter(group => group !== gid)
      .sort(),
  }
}
