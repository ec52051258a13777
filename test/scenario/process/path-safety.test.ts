import { execFileSync, spawn } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { findTools } from '../../../providers/process/shared/tools.ts'
import { createRotation } from '../../../providers/process/supervisor/rotation.ts'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { Log } from '../../../src/core/contracts/log.ts'
import type { Process } from '../../../src/core/model/facility.ts'
import { createClock } from '../../../src/host/clock.ts'
import { plainProcess } from '../../tools/plain-facility.ts'
import { createHostilePlace, type HostilePlace, root, secretText, stranger } from '../hostile-place.ts'
import { createInstance, isRunning, type ProcessInstance } from '../process-instance.ts'

const isRoot = process.geteuid?.() === 0

interface Stage extends HostilePlace, AsyncDisposable {
  readonly made: ProcessInstance
  /** Reason why a service could not be started; undefined if it was. */
  refusal(process: Partial<Process>): Promise<string | undefined>
}

function createStage(): Stage {
  const made = createInstance()
  const place = createHostilePlace(made.scratch, made.host)
  return {
    ...place,
    made,
    async refusal(declared) {
      await made.install('job', { command: ['sleep', '1000'], restart: { policy: 'never', delay: 0 }, ...declared })
      const result = await made.attempt('start', 'job')
      await made.act('remove', 'job')
      return result.ok ? undefined : result.error.message
    },
    [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](),
  }
}

/** Starts a service that keeps running and returns its pid. */
async function run({ made }: Stage, declared: Partial<Process>): Promise<number> {
  await made.install('job', { command: ['sleep', '1000'], ...declared })
  await made.act('start', 'job')
  return (await made.see('job', 'running')).pid ?? 0
}

function environmentOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean)
}

/** Directories that the service's user can change. */
const openings = [
  ['of the user', (stage: Stage) => stage.directory('open')],
  ['of root that its group can write', (stage: Stage) => stage.directory('open', { ...stage.user, uid: 0 }, 0o775)],
  ['that everybody can write, as /tmp', (stage: Stage) => stage.directory('open', root, 0o1777)],
] as const

describe.runIf(isRoot)('S8: secrets and environment files', () => {
  for (const [what, open] of openings) {
    test(`in a directory ${what} are read by the user, and links to inaccessible files give nothing`, async () => {
      await using stage = createStage()
      const { name, secret } = stage
      const directory = open(stage)
      const token = stage.link(join(directory, 'token'), secret)
      const declared = [
        { user: name, environment: { TOKEN: { fromFile: token } } },
        { user: name, environmentFiles: [token] },
      ]
      for (const process of declared) expect(await stage.refusal(process)).toContain(`cannot read ${token} as user`)
      rmSync(token)
      expect(await stage.refusal(declared[0] ?? {})).toContain(`cannot read ${token} as user`)
      stage.file(token, 'A=own\n')
      const pid = await run(stage, { ...declared[0], ...declared[1], workingDirectory: '/usr' })
      expect(environmentOf(pid)).toEqual(expect.arrayContaining(['A=own', 'TOKEN=A=own', 'PWD=/usr']))
      expect(environmentOf(pid).join()).not.toContain('__reeve')
    })

    test(`in a directory ${what} are refused to a service that runs as root`, async () => {
      await using stage = createStage()
      const directory = open(stage)
      const token = stage.file(join(directory, 'token'), 'A=own\n')
      for (const process of [
        { environment: { TOKEN: { fromFile: token } } },
        { environmentFiles: [token] },
        { environmentFiles: [token], group: 'daemon' },
        { environmentFiles: [token], user: 'root' },
      ]) {
        const refusal = await stage.refusal(process)
        expect(refusal).toMatch(
          new RegExp(`cannot read ${token} as root: ${directory} \\(owner \\d+, group \\d+, mode`),
        )
        expect(refusal).toContain('a directory that only root can write')
      }
    })
  }

  test('that are too large are refused, whoever reads them', async () => {
    await using stage = createStage()
    const text = 'A=1\n'.repeat(300_000)
    const theirs = stage.file(join(stage.directory('home'), 'env'), text)
    expect(await stage.refusal({ user: stage.name, environmentFiles: [theirs] })).toContain('larger than 120000 bytes')
    const ours = stage.file(join(stage.closed, 'large'), text, root)
    expect(await stage.refusal({ user: stage.name, environmentFiles: [ours] })).toContain('120000')
  })

  test("below a user's link to a directory of root give nothing", async () => {
    await using stage = createStage()
    const home = stage.directory('home')
    stage.link(join(home, 'way'), stage.closed)
    const path = join(home, 'way/secret')
    expect(await stage.refusal({ user: stage.name, environmentFiles: [path] })).toContain(`cannot read ${path} as user`)
  })

  test('that only root can read and change are read by root, also through a link of root', async () => {
    await using stage = createStage()
    const { name, secret } = stage
    execFileSync('ln', ['-s', secret, join(stage.made.scratch, 'link')])
    const environment = { LD_TOKEN: { fromFile: join(stage.made.scratch, 'link') } }
    const pid = await run(stage, { user: name, environment, environmentFiles: [secret] })
    expect(environmentOf(pid)).toEqual(
      expect.arrayContaining([`A=${secretText}`, `LD_TOKEN=A=${secretText}`, `USER=${name}`]),
    )
    expect(environmentOf(pid).join()).not.toContain('__reeve')
  })
})

describe.runIf(isRoot)('S8: the working directory', () => {
  test('is entered by the user: an inaccessible one is not', async () => {
    await using stage = createStage()
    stage.directory('closed/inner', root, 0o755)
    for (const workingDirectory of [stage.closed, join(stage.closed, 'inner')]) {
      const expected = `cannot enter the working directory ${workingDirectory} as user ${stage.user.uid}`
      expect(await stage.refusal({ user: stage.name, workingDirectory })).toBe(expected)
    }
    expect(await stage.refusal({ workingDirectory: join(stage.closed, 'inner') })).toBeUndefined()
  })

  test('of a reload command is entered by the user too, and so are its secrets read', async () => {
    await using stage = createStage()
    const { name, user, secret, made } = stage
    const home = stage.directory('home')
    const token = stage.file(join(home, 'token'), 'good')
    const said = stage.file(join(home, 'said'), '')
    const reload = { command: ['/bin/sh', '-c', `echo "$(id -u) $TOKEN $LD_X $(pwd) $MAINPID" >${said}`] }
    const environment = { TOKEN: { fromFile: token }, LD_X: 'late' }
    const pid = await run(stage, { user: name, workingDirectory: home, environment, reload })
    await made.act('reload', 'job')
    expect(readFileSync(said, 'utf8')).toBe(`${user.uid} good late ${home} ${pid}\n`)
    rmSync(token)
    stage.link(token, secret)
    const result = await made.attempt('reload', 'job')
    expect(!result.ok && result.error.message).toContain(`cannot read ${token} as user`)
    rmSync(token)
    stage.file(token, 'good')
    chownSync(home, 0, 0)
    execFileSync('chmod', ['700', home])
    const closed = await made.attempt('reload', 'job')
    expect(!closed.ok && closed.error.message).toContain(`as user ${user.uid}`)
  })
})

describe.runIf(isRoot)('S8: output', () => {
  for (const [what, open] of openings) {
    test(`in a directory ${what} is created and written by the user, with the umask of the service`, async () => {
      await using stage = createStage()
      const { name, user } = stage
      const file = join(open(stage), 'a.log')
      const command = ['/bin/sh', '-c', 'umask; exec sleep 1000']
      const pid = await run(stage, { user: name, command, umask: 0o77, output: { file, maxSize: 10_000, keep: 1 } })
      await eventually('it has written', () => readFileSync(file, 'utf8') === '0077\n')
      // Other descriptors of the shim and the wrapper are closed.
      expect(readdirSync(`/proc/${pid}/fd`).filter(fd => /^[3-9]$/.test(fd))).toEqual([])
      expect(statSync(file)).toMatchObject({ uid: user.uid, gid: user.gid, mode: 0o100640 })
    })

    test(`in a directory ${what} is refused if it is a link`, async () => {
      await using stage = createStage()
      const file = stage.link(join(open(stage), 'a.log'), stage.secret)
      const output = { file, maxSize: 10_000, keep: 1 }
      expect(await stage.refusal({ user: stage.name, output })).toBe(
        `cannot append output to ${file}: it is not a regular file`,
      )
      stage.expectUntouched()
    })

    test(`in a directory ${what} is refused to a service that runs as root`, async () => {
      await using stage = createStage()
      const directory = open(stage)
      const file = join(directory, 'a.log')
      const output = { file, maxSize: 10_000, keep: 1 }
      for (const process of [{}, { user: 'root' }, { group: 'daemon' }]) {
        expect(await stage.refusal({ ...process, output })).toMatch(
          new RegExp(`^root cannot use ${file} .*${directory} \\(owner \\d+, group \\d+, mode`),
        )
      }
      expect(existsSync(file)).toBe(false)
    })

    test(`in a directory ${what} is rotated by the user, whatever obstructs it`, async () => {
      await using stage = createStage()
      const { name, user, secret } = stage
      const file = stage.file(join(open(stage), 'a.log'), 'x'.repeat(100))
      for (const end of ['.rotating', '.1', '.2']) stage.link(file + end, secret)
      await rotate(stage, { user: name }, file)
      expect(statSync(file).size).toBe(0)
      expect(statSync(`${file}.1`)).toMatchObject({ uid: user.uid, gid: user.gid, size: 100 })
      stage.expectUntouched()
    })
  }

  test('is not rotated over somebody else’s file, which stays unchanged', async () => {
    await using stage = createStage()
    const { name } = stage
    const file = stage.file(join(stage.directory('logs'), 'a.log'), 'x'.repeat(100))
    const theirs = stage.file(`${file}.1`, 'theirs', { uid: stranger.uid, gid: 0 })
    const inTheWay = (path: string): string =>
      `its output could not be rotated: ${path} is in the way, and is none of its rotated files: move it away`
    expect(await rotate(stage, { user: name }, file)).toEqual([inTheWay(theirs)])
    expect(readFileSync(theirs, 'utf8')).toBe('theirs')
    expect(statSync(file).size).toBe(100)
    rmSync(theirs)
    mkdirSync(`${file}.rotating`)
    expect(await rotate(stage, { user: name }, file)).toEqual([inTheWay(`${file}.rotating`)])
    rmdirSync(`${file}.rotating`)
    expect(await rotate(stage, { user: name }, file)).toEqual([])
    expect(statSync(file).size).toBe(0)
  })

  test("that only another user could rotate is not rotated with that user's rights", async () => {
    await using stage = createStage()
    const theirs = stage.directory('theirs', { uid: stranger.uid, gid: 0 })
    const file = stage.file(join(theirs, 'a.log'), 'x'.repeat(100))
    const complaints = await rotate(stage, { user: stage.name }, file)
    expect(readdirSync(theirs)).toEqual(['a.log'])
    expect(complaints).toEqual([`its output could not be rotated: user ${stage.name} must be able to write ${theirs}`])
  })

  test('in a directory that only root can write is created and rotated by root, for the user', async () => {
    await using stage = createStage()
    const { name, user } = stage
    const file = join(stage.directory('logs', root), 'a.log')
    await run(stage, { user: name, output: { file, maxSize: 10, keep: 2 }, command: ['sh', '-c', 'echo 1; sleep 99'] })
    await eventually('it has written', () => statSync(file).size > 0)
    expect(statSync(file)).toMatchObject({ uid: user.uid, mode: 0o100640 })
    await rotate(stage, { user: name }, file)
    expect(statSync(`${file}.1`)).toMatchObject({ uid: user.uid, size: 2 })
    expect(statSync(file).size).toBe(0)
  })

  test('goes to a regular file or to /dev/null: everything else is refused at once', async () => {
    await using stage = createStage()
    const { name, made } = stage
    const logs = stage.directory('logs', root)
    const home = stage.directory('home')
    execFileSync('mkfifo', [join(logs, 'pipe'), join(home, 'pipe')])
    execFileSync('chown', [name, join(home, 'pipe')])
    execFileSync('ln', ['-s', '/dev/null', join(logs, 'link')])
    const output = (file: string): NonNullable<Process['output']> => ({ file, maxSize: 10, keep: 1 })
    const elsewhere = 'output goes to a regular file or to /dev/null'
    for (const [file, words] of [
      ['/dev/full', elsewhere],
      ['/dev/zero', elsewhere],
      [join(logs, 'pipe'), elsewhere],
      [logs, elsewhere],
      [join(logs, 'link'), 'is a symlink; name the file that it leads to'],
      [join(logs, 'none/a.log'), `there is no directory ${join(logs, 'none')} for the output`],
    ] as const) {
      expect(await stage.refusal({ user: name, output: output(file) })).toContain(words)
      expect(await stage.refusal({ output: output(file) })).toContain(words)
    }
    expect(await stage.refusal({ user: name, output: output(join(home, 'pipe')) })).toContain(
      'it is not a regular file',
    )
    expect(await stage.refusal({ user: name, output: output(stage.directory('home/sub')) })).toContain(
      'it is not a regular file',
    )
    const node = statSync('/dev/null')
    const command = ['/bin/sh', '-c', 'readlink /proc/$$/fd/2 >"$0"; exec sleep 1000', join(home, 'said')]
    for (const user of [name, undefined]) {
      const said = stage.file(join(home, 'said'), '')
      await run(stage, { ...(user && { user }), command, output: output('/dev/null') })
      await eventually('it has said', () => readFileSync(said, 'utf8') === '/dev/null\n')
      await made.act('remove', 'job')
    }
    expect(statSync('/dev/null')).toMatchObject({ ino: node.ino, mode: node.mode, rdev: node.rdev })
  })
})

/** Rotates once with the rights that the supervisor would use; returns its complaints. */
async function rotate({ made }: Stage, declared: Partial<Process>, file: string): Promise<string[]> {
  const complaints: string[] = []
  const log: Log = { debug() {}, info() {}, warn() {}, error: (_fields, message) => complaints.push(message) }
  const ended: Promise<unknown>[] = []
  const host: typeof made.host = {
    ...made.host,
    spawn(command, options) {
      const child = made.host.spawn(command, options)
      ended.push(child.exited)
      return child
    },
  }
  const context = {
    host,
    layout: made.layout,
    log,
    clock: createClock(),
    tools: findTools(host),
    node: '',
    random: () => 0,
  }
  createRotation(context).rotate({ file, maxSize: 10, keep: 2 }, 'job', {
    ...plainProcess,
    command: ['true'],
    ...declared,
  })
  await Promise.all(ended)
  return complaints
}

describe.runIf(isRoot)('files of the supervisor itself', () => {
  test('S9: cannot be read or changed by another user, whatever the umask', async () => {
    await using stage = createStage()
    const { made, name, secret } = stage
    const output = ['/bin/sh', '-c', 'echo out; exec sleep 1000']
    await run(stage, {
      user: name,
      command: output,
      environment: { LD_A: { fromFile: secret } },
      workingDirectory: '/usr',
    })
    await made.act('enable', 'job')
    const { directory } = made.layout
    expect(statSync(directory).mode & 0o7777).toBe(0o700)
    const paths = execFileSync('find', [directory, '-printf', '%y %m %U %P\n'], { encoding: 'utf8' }).trim().split('\n')
    expect(paths.length).toBeGreaterThan(10)
    // The claim on the directory names its holder, and the log belongs to the user.
    const open = paths.filter(line => !/^[dfs] [0-7]?[0-7]00 0 /.test(line)).map(line => line.split(' ').at(-1))
    expect(open.filter(path => !path?.startsWith('lock') && path !== 'logs/job.log')).toEqual([])
    const asUser = ['setpriv', `--reuid=${stage.user.uid}`, `--regid=${stage.user.gid}`, '--clear-groups', '--']
    const program = `cd ${directory} || ls ${directory} || echo x >${directory}/runs/job~1.pid || echo nothing`
    expect(execFileSync(asUser[0] ?? '', [...asUser.slice(1), 'sh', '-c', program], { stdio: 'pipe' }).toString()).toBe(
      'nothing\n',
    )
  })

  test('S8: are refused in an instance directory below one that others can change', async () => {
    await using stage = createStage()
    const theirs = stage.directory('theirs', stranger)
    const inner = stage.directory('theirs/inner', root, 0o700)
    await using made = createInstance({ state: inner })
    expect(await made.observer.probe()).toMatchObject({
      available: false,
      reason: expect.stringContaining(`${theirs} (owner ${stranger.uid}`),
    })
    await expect(made.act('start', 'job')).rejects.toThrow(`${theirs} (owner`)
    expect(existsSync(made.layout.directory)).toBe(false)
  })

  test("S8: are not affected by another user's process named like the shim", async () => {
    await using stage = createStage()
    const { made, user } = stage
    await made.install('job', { command: ['sleep', '1000'], restart: { policy: 'always', delay: 0 } })
    // It waits, since nobody reads its output.
    const pretender = spawn('yes', [`${made.layout.runs}/job~1.sh`], { ...user, detached: true })
    try {
      // Leftovers of a supervisor killed together with the shim before either has written a pid.
      await made.act('start', 'job')
      const { pid = 0 } = await made.see('job', 'running')
      const shim = made.host.process(pid)?.parent ?? 0
      await made.killSupervisor()
      for (const victim of [shim, pid]) process.kill(victim, 'SIGKILL')
      rmSync(`${made.layout.runs}/job~1.pid`)
      await made.act('start', 'job')
      expect((await made.see('job', 'running')).pid).not.toBe(pid)
    } finally {
      process.kill(-(pretender.pid ?? 0), 'SIGKILL')
    }
  })

  test('S8: cause no signal to a process that is not the child of the shim, whatever the run file says', async () => {
    await using stage = createStage()
    const { made } = stage
    const pid = await run(stage, { stop: { signal: 'TERM', timeout: 500 } })
    const victim = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
    try {
      const stat = await eventually('it runs', () => readFileSync(`/proc/${victim.pid}/stat`, 'utf8'))
      writeFileSync(`${made.layout.runs}/job~1.pid`, stat)
      const stopped = await made.attempt('stop', 'job', AbortSignal.timeout(2_000))
      expect(stopped.ok).toBe(false)
      expect(isRunning(victim.pid ?? 0)).toBe(true)
    } finally {
      victim.kill('SIGKILL')
      process.kill(pid, 'SIGKILL')
    }
  })
})
