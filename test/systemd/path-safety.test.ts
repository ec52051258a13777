import { spawnSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import type { ApplyOutcome } from '../../src/core/contracts/apply-outcome.ts'
import { planOf, type Spec, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'
import { makeDirectory, makeFile, makeLink, root } from '../systemd-lab/planted-paths.ts'

const app = { uid: 2001, gid: 2001 }
const home = '/srv/app'
const secret = 'for-root-alone'

/** Root's files that the service's user would like to read or change. */
const treasure = '/srv/private/treasure'

describe.skipIf(process.env.REEVE_MACHINE === undefined)(
  'S8: a path that systemd opens for a service',
  {
    timeout: 120_000,
  },
  () => {
    beforeAll(() => {
      spawnSync('useradd', ['--uid', String(app.uid), '--home-dir', home, 'app'])
    })
    beforeEach(() => {
      for (const path of [home, '/srv/private', '/srv/shared', '/srv/log'])
        rmSync(path, { recursive: true, force: true })
      makeDirectory(home, 0o755, app)
      makeDirectory('/srv/private', 0o700, root)
      makeDirectory('/srv/shared', 0o775, { uid: 0, gid: app.gid })
      makeDirectory('/srv/log', 0o755, root)
      makeFile(treasure, `TREASURE=${secret}\n`, 0o600, root)
    })

    const says = (text: string): readonly string[] => ['/bin/sh', '-c', `echo ${text}; exec sleep 1000000`]

    /** Declares `web` and returns the message of an apply. */
    async function declare(lab: SystemdLab, process: Spec, more: Spec = {}): Promise<ApplyOutcome> {
      lab.declareUnit('web', { process: { command: says('here'), ...process }, ...more })
      return lab.apply()
    }

    for (const [what, directory, owner] of [
      ['of its own', home, app],
      ['of root that its group can write', '/srv/shared', app],
    ] as const) {
      test(`an output file in a directory ${what} is opened by the service's user, and stays so`, async () => {
        await using lab = await createSystemdLab()
        const file = join(directory, 'web.log')
        expect(await declare(lab, { user: 'app', output: { file } })).toMatchObject({ failed: [], notReady: [] })
        await eventually('it to write', () => readOutput(file) === 'here\n')
        expect(statSync(file)).toMatchObject(owner)
        expect(property('web', 'StandardOutput')).not.toContain('append')
        expect(umaskOf('web')).toBe('0022')
        expect(stepsOf(await lab.plan())).toEqual([])
      })

      test(`no output goes where a symlink in a directory ${what} leads`, async () => {
        await using lab = await createSystemdLab()
        const file = join(directory, 'web.log')
        const process = { command: says('here'), user: 'app', output: { file }, restart: { policy: 'never' } }
        lab.declareUnit('web', { process, state: 'stopped' })
        await lab.apply()
        makeLink(file, treasure, app)
        expect(planOf(await lab.plan(), 'web')?.blocked).toMatch(/web\.log.*found a symlink/)
        systemctl('start', 'web')
        await eventually('it to end', () => property('web', 'SubState') !== 'running')
        expect(readFileSync(treasure, 'utf8')).toBe(`TREASURE=${secret}\n`)
        expect(statSync(treasure)).toMatchObject({ ...root, mode: 0o100600 })
      })

      test(`no directory of output is followed elsewhere from a directory ${what}`, async () => {
        await using lab = await createSystemdLab()
        makeLink(join(directory, 'logs'), '/srv/private', app)
        const outcome = await declare(lab, { user: 'app', output: { file: join(directory, 'logs/web.log') } })
        expect(outcome.plan.facilities[0]?.blocked).toMatch(
          /user app cannot reach .*\/srv\/private \(owner 0.* is closed to that user/,
        )
        expect(readdirSync('/srv/private')).toEqual(['treasure'])
      })

      for (const [field, process] of [
        ['a secret', { environment: { TOKEN: { fromFile: join(directory, 'input') } } }],
        ['an environment file', { environmentFiles: [join(directory, 'input')] }],
      ] as const) {
        test(`${field} in a directory ${what} is read by the service's user, who gets nothing of root's`, async () => {
          await using lab = await createSystemdLab()
          makeFile(join(directory, 'input'), 'TOKEN=mine\n', 0o600, app)
          expect(await declare(lab, { user: 'app', ...process })).toMatchObject({ failed: [], notReady: [] })
          expect(environmentOf('web')).toContain('mine')
          expect(stepsOf(await lab.plan())).toEqual([])

          rmSync(join(directory, 'input'))
          makeLink(join(directory, 'input'), treasure, app)
          systemctl('restart', 'web')
          await eventually('it to end', () => journalOf('web').includes('cannot read'))
          expect(environmentOf('web')).not.toContain(secret)
          expect(journalOf('web')).toContain(`cannot read ${directory}/input as user ${app.uid}`)
          const failed = await declare(lab, { user: 'app', umask: '0027', ...process })
          expect(failed.failed).toEqual([{ facility: 'web', message: expect.stringContaining('exit code 111') }])
        })
      }
    }

    test('is left to systemd if only root can change it', async () => {
      await using lab = await createSystemdLab()
      makeFile('/srv/log/input', 'FROM_FILE=yes\n', 0o600, root)
      const process = { user: 'app', output: { file: '/srv/log/web.log' }, environmentFiles: ['/srv/log/input'] }
      expect(await declare(lab, process)).toMatchObject({ failed: [], notReady: [] })
      await eventually('it to write', () => readFileSync('/srv/log/web.log', 'utf8') === 'here\n')
      expect(environmentOf('web')).toContain('FROM_FILE=yes')
      expect(unitText('web')).toContain('\nLoadCredential=environment-1:/srv/log/input\n')
      expect(unitText('web')).toContain('\nStandardOutput=append:/srv/log/web.log\n')
    })

    test('is refused for root if a symlink of root leads into the directory of another user', async () => {
      await using lab = await createSystemdLab()
      makeLink(join(home, 'token'), treasure, app)
      makeLink('/srv/log/token', join(home, 'token'), root)
      const outcome = await declare(lab, { user: 'app', environment: { TOKEN: { fromFile: '/srv/log/token' } } })
      expect(outcome.failed).toHaveLength(1)
      expect(environmentOf('web')).not.toContain(secret)
    })

    test('keeps the order of several environment files and variables, whoever reads them', async () => {
      await using lab = await createSystemdLab()
      const [first, second, third] = ['/srv/log/first', join(home, 'second'), '/srv/log/third']
      makeFile(first, 'A=1\nB=1\nC=1\nD=1\n', 0o600, root)
      makeFile(second, '# theirs\nB="2"\nC=2\nD=2\n', 0o600, app)
      makeFile(third, "C='3'\nD=3\n", 0o600, root)
      const odd = 'a "b" $c \\d %e\n\'f\' '
      const environment = { D: odd, PATH: '/nowhere', LD_LIBRARY_PATH: '/nowhere' }
      const process = { user: 'app', command: ['/bin/sleep', '1000000'], environment }
      const outcome = await declare(lab, { ...process, environmentFiles: [first, second, third] })
      expect(outcome).toMatchObject({ failed: [], notReady: [] })
      const expected = ['A=1', 'B=2', 'C=3', `D=${odd}`, 'LD_LIBRARY_PATH=/nowhere', 'PATH=/nowhere']
      const found = environmentOf('web').split('\0')
      expect(found.filter(line => /^(?:[A-D]|PATH|LD_\w+)=/.test(line)).sort()).toEqual(expected)
      expect(found.filter(line => /REEVE_VARIABLE|__reeve/.test(line))).toEqual([])
      expect(stepsOf(await lab.plan())).toEqual([])
    })

    for (const [field, process] of [
      ['output', { output: { file: join(home, 'input') } }],
      ['the secret', { environment: { TOKEN: { fromFile: join(home, 'input') } } }],
      ['the environment file', { environmentFiles: [join(home, 'input')] }],
    ] as const) {
      test(`for a service of root, ${field} in a directory of another user, is refused by the plan and at the step`, async () => {
        await using lab = await createSystemdLab()
        makeFile(join(home, 'input'), 'TOKEN=mine\n', 0o644, app)
        const said = /input as root: \/srv\/app \(owner 2001, group 2001, mode 0755\) belongs to user 2001.*chown root/
        lab.declareUnit('web', { process: { command: says('here'), ...process } })
        expect(planOf(await lab.plan(), 'web')).toMatchObject({ blocked: expect.stringMatching(said), steps: [] })

        chownSync(home, 0, 0)
        expect(stepsOf(await lab.plan())).toEqual(['web/install', 'web/enable', 'web/start'])
        expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
        // Somebody gives the directory away between the plan and the step.
        const session = await lab.open()
        lab.declareUnit('web', { process: { command: says('again'), ...process } })
        const { failed } = await lab.apply({
          session,
          listener: event => {
            if (event.type === 'step-started') chownSync(home, app.uid, app.gid)
          },
        })
        expect(failed).toEqual([{ facility: 'web', message: expect.stringMatching(said) }])
      })
    }

    for (const [what, make] of [
      ['a directory', (path: string) => mkdirSync(path)],
      ['a symlink', (path: string) => symlinkSync('/srv/log/other', path)],
      ['a device, pipe or socket', (path: string) => void spawnSync('mkfifo', [path])],
    ] as const) {
      for (const [whose, directory] of [
        ['root', '/srv/log'],
        ['the service’s user', home],
      ] as const) {
        test(`${what} in a directory of ${whose} is no output file`, async () => {
          await using lab = await createSystemdLab()
          make(join(directory, 'web.log'))
          lab.declareUnit('web', {
            process: { command: says('here'), user: 'app', output: { file: join(directory, 'web.log') } },
          })
          const blocked = expect.stringContaining(`web.log: expected a regular file, found ${what}`)
          expect(planOf(await lab.plan(), 'web')).toMatchObject({ blocked })
        })
      }
    }

    test('is no output file if it is a device, except /dev/null', async () => {
      await using lab = await createSystemdLab()
      lab.declareUnit('web', { process: { command: says('here'), output: { file: '/dev/zero' } } })
      expect(planOf(await lab.plan(), 'web')?.blocked).toContain('expected a regular file')
      for (const user of [{}, { user: 'app' }]) {
        expect(await declare(lab, { ...user, output: { file: '/dev/null' } })).toMatchObject({
          failed: [],
          notReady: [],
        })
        expect([property('web', 'StandardOutput'), property('web', 'StandardError')]).toEqual(['null', 'null'])
        expect(stepsOf(await lab.plan())).toEqual([])
      }
      expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
    })

    test('blocks the service if it is a file of root in a directory of the service’s user, and the message says what to do', async () => {
      await using lab = await createSystemdLab()
      makeFile(join(home, 'web.log'), 'old\n', 0o644, root)
      const process = { command: says('here'), user: 'app', output: { file: join(home, 'web.log') } }
      lab.declareUnit('web', { process })
      expect(planOf(await lab.plan(), 'web')?.blocked).toContain('mv /srv/app/web.log /srv/app/web.log.old')
      renameSync(join(home, 'web.log'), join(home, 'web.log.old'))
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
      await eventually('it to write', () => readOutput(join(home, 'web.log')) === 'here\n')
    })

    for (const [where, config] of [
      ['keys of the unit', { unit: { Service: { StandardOutput: `append:${home}/web.log` } } }],
      ['a drop-in', { dropIns: { own: `[Service]\nLoadCredential=a:${home}/web.log\n` } }],
      ['a text', { text: `[Service]\nExecStart=/bin/sleep 1000000\nEnvironmentFile=-${home}/*.env\n` }],
      ['a socket', { socket: { ListenStream: `${home}/web.log` } }],
    ] as const) {
      test(`native configuration has root open nothing in a directory of another user: ${where}`, async () => {
        await using lab = await createSystemdLab()
        makeLink('/srv/log/link.env', `${home}/any.env`, root)
        const process = 'text' in config ? {} : { process: { command: says('here'), user: 'app' } }
        lab.declareUnit('web', { ...process, config: { systemd: config } })
        expect(planOf(await lab.plan(), 'web')?.blocked).toMatch(/as root: \/srv\/app \(owner 2001/)
      })
    }

    test('is opened by the user that the native configuration sets', async () => {
      await using lab = await createSystemdLab()
      const output = { file: join(home, 'web.log') }
      const config = (User: string | null): Spec => ({ config: { systemd: { unit: { Service: { User } } } } })
      lab.declareUnit('web', { process: { command: says('here'), user: 'app', output }, ...config('root') })
      expect(planOf(await lab.plan(), 'web')?.blocked).toContain('as root')
      expect(await declare(lab, { output }, config('app'))).toMatchObject({ failed: [], notReady: [] })
      await eventually('it to write', () => existsSync(output.file) && statSync(output.file).uid === app.uid)
    })

    test('reaches the service’s user byte for byte, whatever its name', async () => {
      await using lab = await createSystemdLab()
      const odd = `it's "100%n" $HOME \\x41 $(id) *?[a] -e; #\u00e9`
      const place = join(home, odd)
      makeDirectory(place, 0o755, app)
      makeFile(join(place, `env ${odd}`), 'A=1\n', 0o600, app)
      makeFile(join(place, `token ${odd}`), 'mine\n', 0o600, app)
      makeFile(join('/srv/log', `env ${odd}`), 'B=2\n', 0o600, root)
      const output = join(place, `log ${odd}`)
      const process = {
        user: 'app',
        output: { file: output },
        environmentFiles: [join(place, `env ${odd}`), join('/srv/log', `env ${odd}`)],
        environment: { TOKEN: { fromFile: join(place, `token ${odd}`) } },
      }
      expect(await declare(lab, process)).toMatchObject({ failed: [], notReady: [] })
      await eventually('it to write', () => readOutput(output) === 'here\n')
      expect(environmentOf('web').split('\0')).toEqual(expect.arrayContaining(['A=1', 'B=2', 'TOKEN=mine']))
      expect(readdirSync(place).sort()).toEqual([`env ${odd}`, `log ${odd}`, `token ${odd}`])
    })

    test('is opened by the user that a drop-in sets', async () => {
      await using lab = await createSystemdLab()
      const config = { systemd: { dropIns: { own: '[Service]\nUser=root\n' } } }
      const process = { command: says('here'), user: 'app', output: { file: join(home, 'web.log') } }
      lab.declareUnit('web', { process, config })
      expect(planOf(await lab.plan(), 'web')?.blocked).toContain('as root: /srv/app')
    })

    test('is refused if it is a pattern of environment files whose directory others can write', async () => {
      await using lab = await createSystemdLab()
      const config = { systemd: { unit: { Service: { EnvironmentFile: '-/srv/*/env' } } } }
      lab.declareUnit('web', { process: { command: says('here'), user: 'app' }, config })
      expect(planOf(await lab.plan(), 'web')?.blocked).toContain('name each directory')
    })

    test('is no secret if it is a directory: systemd would read everything in it, and follow links', async () => {
      await using lab = await createSystemdLab()
      makeLink(join(home, 'link'), treasure, app)
      lab.declareUnit('web', {
        process: { command: says('here'), user: 'app', environment: { TOKEN: { fromFile: home } } },
      })
      expect(planOf(await lab.plan(), 'web')?.blocked).toContain('expected a file, found a directory')
    })

    test('that a user turns into a loop delays no other facility', async () => {
      await using lab = await createSystemdLab()
      makeLink(join(home, 'loop'), 'loop', app)
      const inputs = {
        output: { file: join(home, 'loop/web.log') },
        environmentFiles: [join(home, 'loop/env')],
        environment: { TOKEN: { fromFile: join(home, 'loop/token') } },
      }
      lab.declareUnit('web', { process: { command: says('here'), user: 'app', ...inputs } })
      lab.declareUnit('other', { process: { command: says('here') } })
      expect(await lab.apply()).toMatchObject({ failed: [{ facility: 'web' }] })
      expect(property('other', 'ActiveState')).toBe('active')
    })

    test('of a linked unit is not read where its owner redirects it', async () => {
      await using lab = await createSystemdLab()
      const unit = join(home, 'linked.service')
      makeFile(unit, '[Service]\nExecStart=/bin/sleep 1000000\n[Install]\nWantedBy=multi-user.target\n', 0o644, app)
      systemctl('link', unit)
      lab.declareUnit('linked', { state: 'stopped', enabled: 'unmanaged' })
      expect(await lab.observe('linked')).toMatchObject({ state: 'stopped' })
      rmSync(unit)
      makeFile(treasure, `[Install]\nWantedBy=%H-${secret}.target\n`, 0o600, root)
      makeLink(unit, treasure, app)
      const observed = await lab.observe('linked')
      expect(observed).toMatchObject({
        state: 'unknown',
        message: expect.stringContaining('symlink that others can replace'),
      })
      expect(JSON.stringify([observed, await lab.plan()])).not.toContain(secret)
      rmSync('/etc/systemd/system/linked.service')
      systemctl('daemon-reload')
    })

    test('of a working directory that is closed to the service’s user is not entered for it', async () => {
      await using lab = await createSystemdLab()
      makeDirectory('/srv/private/inner', 0o777, root)
      const { failed } = await declare(lab, { user: 'app', workingDirectory: '/srv/private/inner' })
      expect(failed).toEqual([{ facility: 'web', message: expect.stringMatching(/CHDIR|Permission denied|200/) }])
    })
  },
)

function readOutput(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

/** NUL-separated; empty if it doesn't run. */
function environmentOf(unit: string): string {
  const pid = property(unit, 'MainPID')
  return pid === '0' ? '' : readFileSync(`/proc/${pid}/environ`, 'utf8')
}

function umaskOf(unit: string): string | undefined {
  return /^Umask:\s*(\d+)$/m.exec(readFileSync(`/proc/${property(unit, 'MainPID')}/status`, 'utf8'))?.[1]
}

function unitText(unit: string): string {
  return readFileSync(`/etc/systemd/system/${unit}.service`, 'utf8')
}

function journalOf(unit: string): string {
  return spawnSync('journalctl', ['--no-pager', '-o', 'cat', '-u', unit], { encoding: 'utf8' }).stdout
}
