import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { systemdProvider } from '../../providers/systemd/index.ts'
import { eventually } from '../../src/conformance/eventually.ts'
import type { ReadHost } from '../../src/core/contracts/host.ts'
import type { Instance } from '../../src/core/model/facility.ts'
import type { Observed } from '../../src/core/state/observed.ts'
import { makePlanRun } from '../../src/engine/refresh/plan-run.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { planOf, type Spec, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, systemctl } from '../systemd-lab/engine.ts'
import { openObserver } from '../tools/opened-provider.ts'

const app = { uid: 2001, gid: 2001 }
const staff = 2002
const other = { uid: 2003, gid: 2003 }

/** The kernel confirms what `spec.process` says of the process. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('a process under systemd', { timeout: 120_000 }, () => {
  beforeAll(() => {
    run('groupadd', '--gid', String(staff), 'workers')
    run('useradd', '--uid', String(app.uid), '--groups', 'workers', '--home-dir', '/nonexistent', 'app')
    run('useradd', '--uid', String(other.uid), '--home-dir', '/nonexistent', 'other')
  })

  test('has the user, the group, the umask and the directory', async () => {
    await using lab = await createSystemdLab()
    const start = async (more: Spec): Promise<string> => {
      lab.declareUnit('web', { process: { command: ['/bin/sleep', '1000000'], ...more } })
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
      expect(stepsOf(await lab.plan())).toEqual([])
      return property('web', 'MainPID')
    }
    const first = await start({ user: 'app', umask: '0027', workingDirectory: '/srv' })
    // Real, effective, saved, and of the file system.
    expect(statusOf(first)).toMatchObject({ Uid: four(app.uid), Gid: four(app.gid), Umask: '0027' })
    expect(statusOf(first).Groups?.split(' ').sort()).toEqual([app.gid, staff].map(String))
    expect(readlinkSync(`/proc/${first}/cwd`)).toBe('/srv')

    const second = await start({ user: 'app', group: 'workers' })
    expect(second).not.toBe(first)
    expect(statusOf(second)).toMatchObject({ Uid: four(app.uid), Gid: four(staff), Umask: '0022' })
    expect(statusOf(await start({ user: 'other' }))).toMatchObject({
      Uid: four(other.uid),
      Gid: four(other.gid),
      Groups: String(other.gid),
    })
    expect(statusOf(await start({ group: 'workers' }))).toMatchObject({ Uid: four(0), Gid: four(staff) })
  })

  test('is found as the main process, alone or among others, in the usual slice or in another', async () => {
    await using lab = await createSystemdLab()
    const several = ['/bin/sh', '-c', 'sleep 1000000 & sleep 1000000 & wait']
    const elsewhere = { systemd: { unit: { Service: { Slice: 'other.slice' } } } }
    lab.declareUnit('alone', { process: { command: ['/bin/sleep', '1000000'] } })
    lab.declareUnit('among', { process: { command: several } })
    lab.declareUnit('apart', { process: { command: several }, config: elsewhere })
    await lab.apply()
    await eventually('all to run', () => readProcesses('system.slice/among').length === 3)
    expect(readProcesses('system.slice/alone')).toHaveLength(1)
    const { snapshot } = (await makePlanRun(await lab.open())).refresh
    for (const unit of ['alone', 'among', 'apart']) {
      expect(String(snapshot.services.get(`systemd/${unit}`)?.pid)).toBe(property(unit, 'MainPID'))
    }
  })

  for (const [what, command] of [
    ['alone', ['/bin/sleep', '1000000']],
    ['with others', ['/bin/sh', '-c', 'sleep 1000000 & wait']],
  ] as const) {
    test(`that ends while being observed, ${what}, is not taken to be out of date`, async () => {
      await using lab = await createSystemdLab()
      const [unit, path] = ['/etc/systemd/system/web.service', lab.path('web.conf')]
      const process = { command, restart: { delay: '1h' } }
      lab.declareUnit('web', { process, files: [{ path, content: 'one\n', onChange: 'reload' }] })
      await lab.apply()
      const instance = (await makePlanRun(await lab.open())).instances.get('systemd')?.instance
      if (!instance) throw new Error('there is no systemd')
      // A file newer than the start can't have been read by the process.
      for (const newer of [path, unit]) {
        writeFileSync(newer, readFileSync(newer, 'utf8'))
        const killed = await observeWhile(instance, () => {
          systemctl('kill', '--signal=KILL', 'web')
          waitFor(() => property('web', 'SubState') === 'auto-restart')
        })
        expect([killed?.state, killed?.loaded]).toEqual(['starting', undefined])
        systemctl('restart', 'web')
        const stopped = await observeWhile(instance, () => void systemctl('stop', 'web'))
        expect(stopped).toMatchObject({ state: 'stopped' })
        systemctl('start', 'web')
      }
    })
  }

  test('of an unknown user fails to start, with the reason', async () => {
    await using lab = await createSystemdLab()
    lab.declareUnit('web', { process: { command: ['/bin/sleep', '1000000'], user: 'nosuchuser' } })
    const { failed } = await lab.apply()
    expect(failed).toEqual([{ facility: 'web', message: expect.stringMatching(/nosuchuser|USER|217/) }])
  })

  for (const [what, environment, environmentFiles] of [
    ['variables that are to win over files', { A: 'b' }, ['/etc/web.env']],
    ['a secret', { TOKEN: { fromFile: '/etc/token' } }, []],
    ['both', { A: 'b', TOKEN: { fromFile: '/etc/token' } }, ['/etc/web.env']],
  ] as const) {
    test(`PITFALLS 14: a missing program that would get ${what} is a failed start too`, async () => {
      await using lab = await createSystemdLab()
      for (const path of ['/etc/web.env', '/etc/token']) writeFileSync(path, '')
      const declare = (program: string): void =>
        lab.declareUnit('web', { process: { command: [program, '1000000'], environment, environmentFiles } })
      declare('/nowhere/web')
      // If the exec wrapper ends at once, systemd may report it itself.
      const message = expect.stringMatching(/; its journal \(journalctl -u \S+\) ends with:.*\/nowhere\/web/s)
      expect(await lab.apply()).toMatchObject({ failed: [{ facility: 'web', message }] })
      declare('/bin/sleep')
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
      for (const path of ['/etc/web.env', '/etc/token']) rmSync(path)
    })
  }

  test('has the limits, soft and hard, whoever it belongs to', async () => {
    await using lab = await createSystemdLab()
    const limits = { nofile: 4321, nproc: 321, core: 'unlimited', memlock: 131_072, stack: 16_777_216, cpu: 4_000 }
    for (const [name, user] of [
      ['root-owned', {}],
      ['users', { user: 'app' }],
    ] as const) {
      lab.declareUnit(name, { process: { command: ['/bin/sleep', '1000000'], limits, ...user } })
      await lab.apply()
      const found = limitsOf(property(name, 'MainPID'))
      expect(found).toMatchObject({
        'Max open files': ['4321', '4321'],
        'Max processes': ['321', '321'],
        'Max core file size': ['unlimited', 'unlimited'],
        'Max locked memory': ['131072', '131072'],
        'Max stack size': ['16777216', '16777216'],
        'Max cpu time': ['4000', '4000'],
      })
    }
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('writes both streams to its output file, and appends to existing output', async () => {
    await using lab = await createSystemdLab()
    mkdirSync('/var/log/app')
    chownSync('/var/log/app', app.uid, app.gid)
    const file = '/var/log/app/web.log'
    const command = ['/bin/sh', '-c', 'echo said; echo complained >&2; exec sleep 1000000']
    lab.declareUnit('web', { process: { command, user: 'app', output: { file } } })
    await lab.apply()
    const text = 'said\ncomplained\n'
    await eventually('it to write', () => existsSync(file) && readFileSync(file, 'utf8') === text)
    expect(readlinkSync(`/proc/${property('web', 'MainPID')}/fd/1`)).toBe(file)
    systemctl('restart', 'web')
    await eventually('it to write again', () => readFileSync(file, 'utf8') === text + text)
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('has the last value of each variable in several environment files, whatever their names', async () => {
    await using lab = await createSystemdLab()
    const paths = ['a*.env', 'b?[c]{d}.env', 'e %n $HOME\\f.env'].map(name => lab.path(name))
    paths.forEach((path, index) => {
      writeFileSync(path, `MARK_ALL=${index}\nMARK_${index}=there\n`)
    })
    writeFileSync(lab.path('ab.env'), 'MARK_ALL=not asked for\n')
    const start = async (environmentFiles: readonly string[], environment: object): Promise<string[]> => {
      lab.declareUnit('web', { process: { command: ['/bin/sleep', '1000000'], environmentFiles, environment } })
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
      const variables = readFileSync(`/proc/${property('web', 'MainPID')}/environ`, 'utf8').split('\0')
      return variables.filter(variable => variable.startsWith('MARK_')).sort()
    }
    const each = ['MARK_0=there', 'MARK_1=there', 'MARK_2=there']
    expect(await start(paths, {})).toEqual([...each, 'MARK_ALL=2'])
    expect(await start([...paths].reverse(), {})).toEqual([...each, 'MARK_ALL=0'])
    expect(await start(paths, { MARK_ALL: 'mine' })).toEqual([...each, 'MARK_ALL=mine'])
  })

  test('with readiness notification is starting until it notifies, and its dependents wait', async () => {
    await using lab = await createSystemdLab()
    const gate = lab.path('gate')
    const command = [
      '/bin/sh',
      '-c',
      `until test -e ${gate}; do sleep 0.05; done; systemd-notify --ready; exec sleep 1000000`,
    ]
    const unit = { Service: { Type: 'notify', NotifyAccess: 'all' } }
    lab.declareUnit('web', { process: { command }, config: { systemd: { unit } } })
    lab.declareUnit('after', { process: { command: ['/bin/sleep', '1000000'] }, dependsOn: ['web'] })
    const applied = lab.apply()
    await eventually('it to be starting', async () => (await lab.observe('web')).state === 'starting')
    expect(property('after', 'ActiveState')).toBe('inactive')
    writeFileSync(gate, '')
    expect(await applied).toMatchObject({ failed: [], notReady: [] })
    expect(await lab.observe('web')).toMatchObject({ state: 'running', pid: Number(property('web', 'MainPID')) })
    expect(stepsOf(await lab.plan())).toEqual([])
  })

  test('is reloaded by its command, as its user and with its pid; a failed reload is still required', async () => {
    await using lab = await createSystemdLab()
    const told = '/tmp/reloaded'
    writeFileSync(told, '')
    chownSync(told, app.uid, app.gid)
    const path = '/etc/web.conf'
    // By systemd's terms, with a variable of which MAINPID is one.
    const script = `grep -q good ${path} && echo "$(id -u) $(cat ${path}) $MAINPID" >> ${told}`
    const declare = (content: string): void =>
      lab.declareUnit('web', {
        process: { command: ['/bin/sleep', '1000000'], user: 'app', reload: { command: ['/bin/sh', '-c', script] } },
        files: [{ path, content, onChange: 'reload' }],
      })
    declare('good 1\n')
    await lab.apply()
    const pid = property('web', 'MainPID')
    declare('good 2\n')
    expect(stepsOf(await lab.plan())).toEqual([`web/write-file:${path}`, 'web/reload'])
    expect(await lab.apply()).toMatchObject({ failed: [] })
    expect([readFileSync(told, 'utf8'), property('web', 'MainPID')]).toEqual([`${app.uid} good 2 ${pid}\n`, pid])
    expect(stepsOf(await lab.plan())).toEqual([])

    declare('bad\n')
    expect((await lab.apply()).failed).toEqual([{ facility: 'web', message: expect.stringContaining('Reload failed') }])
    expect(property('web', 'MainPID')).toBe(pid)
    expect(planOf(await lab.plan(), 'web')?.steps).toMatchObject([{ verb: 'reload', reason: 'out-of-date' }])
    declare('good 3\n')
    await lab.apply()
    expect(readFileSync(told, 'utf8')).toBe(`${app.uid} good 2 ${pid}\n${app.uid} good 3 ${pid}\n`)
    expect(stepsOf(await lab.plan())).toEqual([])
    rmSync(path)
  })

  test('S4: gets secrets and environment files that only root can read, and nobody else sees them', async () => {
    await using lab = await createSystemdLab()
    const [token, password] = ['t0p-s3cret-token', 'p4ssw0rd with "quotes" and $signs']
    const [secretFile, envFile] = ['/etc/token', '/etc/web.env']
    const keep = (path: string, text: string): void => {
      writeFileSync(path, text)
      chmodSync(path, 0o600)
    }
    keep(secretFile, `${token}\n`)
    keep(envFile, `PASSWORD='${password}'\nPORT=1\nFROM_FILE=yes\n`)
    const declare = (port: string): void =>
      lab.declareUnit('web', {
        process: {
          command: ['/bin/sleep', '1000000'],
          user: 'app',
          environment: { PORT: port, TOKEN: { fromFile: secretFile } },
          environmentFiles: [envFile],
        },
      })
    declare('8080')
    const before = JSON.stringify(await lab.plan())
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    const pid = property('web', 'MainPID')
    expect(environmentOf(pid)).toMatchObject({ TOKEN: token, PASSWORD: password, PORT: '8080', FROM_FILE: 'yes' })
    expect(statusOf(pid)).toMatchObject({ Uid: four(app.uid) })

    declare('8081')
    const seen = [before, JSON.stringify(await lab.plan()), JSON.stringify(lab.history())]
    seen.push(...commandLines(), systemctl('show', 'web'), run('journalctl', '--no-pager', '-u', 'web'), ...unitTexts())
    for (const secret of [token, password]) expect(seen.filter(text => text.includes(secret))).toEqual([])

    // Read at each start, and at no other time.
    keep(secretFile, 'another\n')
    expect(environmentOf(pid).TOKEN).toBe(token)
    expect(await lab.apply()).toMatchObject({ failed: [] })
    expect(environmentOf(property('web', 'MainPID'))).toMatchObject({ TOKEN: 'another', PORT: '8081' })
    expect(stepsOf(await lab.plan())).toEqual([])

    rmSync(secretFile)
    declare('8082')
    const running = property('web', 'MainPID')
    expect((await lab.apply()).plan.facilities[0]?.blocked).toContain(secretFile)
    expect(property('web', 'MainPID')).toBe(running)
    systemctl('stop', 'web')
    expect((await lab.apply()).failed).toEqual([
      { facility: 'web', message: expect.stringMatching(/TOKEN|CREDENTIALS|243/) },
    ])
    keep(secretFile, token)
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    for (const path of [envFile, secretFile]) rmSync(path)
  })
})

/** Returns the output; throws if it fails. */
function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} gave ${status}: ${stderr}`)
  return stdout
}

function four(id: number): string {
  return Array(4).fill(id).join(' ')
}

function statusOf(pid: string): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').trimEnd().split('\n')
  return Object.fromEntries(
    lines.map(line => line.split(/:\s*/)).map(([key = '', value = '']) => [key, value.replace(/\s+/g, ' ').trim()]),
  )
}

/** Soft and hard limits, by their names in /proc. */
function limitsOf(pid: string): Record<string, readonly string[]> {
  const [, ...lines] = readFileSync(`/proc/${pid}/limits`, 'utf8').trimEnd().split('\n')
  const parts = lines.map(line => line.split(/\s{2,}/))
  return Object.fromEntries(parts.map(([name = '', soft = '', hard = '']) => [name, [soft, hard]]))
}

function environmentOf(pid: string): Record<string, string> {
  const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean)
  return Object.fromEntries(
    entries.map(entry => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  )
}

function commandLines(): string[] {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return pids.map(pid => spawnSync('cat', [`/proc/${pid}/cmdline`], { encoding: 'utf8' }).stdout)
}

function unitTexts(): string[] {
  const directory = '/etc/systemd/system'
  const files = readdirSync(directory, { withFileTypes: true, recursive: true }).filter(entry => entry.isFile())
  return files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'))
}

function readProcesses(group: string): string[] {
  return readFileSync(`/sys/fs/cgroup/${group}.service/cgroup.procs`, 'utf8').trim().split('\n')
}

/** Observes `web`, and acts between the query for its main process and the use of the answer. */
async function observeWhile(instance: Instance, act: () => void): Promise<Observed | undefined> {
  const host = createReadHost({ queries: [], busQueries: systemdProvider.capabilities.busQueries ?? [] })
  const late: ReadHost = {
    ...host,
    readText(path, limit) {
      const text = host.readText(path, limit)
      if (path.endsWith('/web.service/cgroup.procs') && text?.trim().includes('\n') === false) act()
      return text
    },
    openBus(target) {
      const bus = host.openBus(target)
      return {
        ...bus,
        async query(call) {
          if (call.body?.includes('MainPID')) act()
          return bus.query(call)
        },
      }
    },
  }
  return (await openObserver(systemdProvider, instance, late).observe(['web'])).get('web')
}

/** Blocks everything else in this process. */
function waitFor(condition: () => boolean): void {
  const deadline = Date.now() + 20_000
  while (!condition()) if (Date.now() > deadline) throw new Error('waited 20 s in vain')
}
