import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive } from '../../../src/conformance/lab.ts'
import { createEngineLab, diary, type EngineLab, longRun } from '../../labs/engine-lab.ts'
import { findSupervisorPid } from '../../labs/process-lab.ts'

const reeve = fileURLToPath(new URL('../../../dist/reeve.cjs', import.meta.url))

function argumentsOf(lab: EngineLab, command: string): string[] {
  const flags = ['--config', lab.path('reeve.yaml'), '--state-dir', lab.stateDirectory, '--insecure-permissions']
  return [reeve, command, lab.manifests, ...flags]
}

/** Calls, as strace prints them, that change or may change something outside the process. */
const changing = [
  'open,openat,openat2,creat',
  'unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,symlinkat',
  'mkdir,mkdirat,rmdir,mknod,mknodat,truncate,ftruncate,fallocate',
  'chmod,fchmod,fchmodat,chown,fchown,fchownat,lchown,utime,utimes,utimensat,futimesat',
  'setxattr,lsetxattr,fsetxattr,removexattr,mount,umount2',
  'kill,tkill,tgkill,pidfd_send_signal',
  'connect,bind,sendto,sendmsg,sendmmsg,execve,write,writev,pwrite64,pwritev',
].join(',')

/** Reason why a traced call changes something; undefined if it doesn't. */
function findOffence(line: string, own: ReadonlySet<string>): string | undefined {
  const call = /^(\d+)\s+(\w+)\((.*)$/.exec(line)
  if (!call) return undefined
  const [, , name = '', rest = ''] = call
  if (name.startsWith('open') || name === 'creat') {
    return /O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)/.test(rest) && !rest.includes('"/dev/null"') ? line : undefined
  }
  // strace -y shows where a descriptor leads: pipes and event counters are Node's own, stdout and stderr the answer's.
  if (name.includes('write')) return /^(1|2)</.test(rest) || /^\d+<(pipe|anon_inode):/.test(rest) ? undefined : line
  if (name === 'kill') return /^\d+, 0\)/.test(rest) ? undefined : line
  if (name === 'tkill' || name === 'tgkill') return own.has(/^(\d+)/.exec(rest)?.[1] ?? '') ? undefined : line
  // Path of a supervisor's socket, if there were one.
  if (name === 'connect' && rest.includes('AF_UNIX')) return / = -1 E(NOENT|CONNREFUSED) /.test(rest) ? undefined : line
  // The first call is how the program was started.
  if (name === 'execve') return rest.includes('dist/reeve.cjs') ? undefined : line
  return line
}

test('E2: reeve plan makes no system call that could change anything, as strace sees it', async ({ skip }) => {
  const hasStrace = spawnSync('strace', ['-V']).status === 0
  if (!hasStrace && process.env.CI !== 'true') skip('there is no strace on this machine: apt-get install strace')
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun(), files: [{ path: lab.path('web.conf'), content: 'one\n' }] })
  lab.declare('old', { process: longRun() })
  await lab.apply()
  // One of each kind to plan: a change, a removal, an addition, drift.
  lab.declare('web', { process: longRun(1), files: [{ path: lab.path('web.conf'), content: 'two\n' }] })
  lab.withdraw('old')
  lab.declare('fresh', { process: longRun(), dependsOn: ['web'] })
  const trace = lab.path('trace')
  const command = [process.execPath, ...argumentsOf(lab, 'plan'), '--detailed-exitcode']
  const result = spawnSync(
    'strace',
    ['-f', '-qq', '-y', '-s', '256', '-e', `trace=${changing}`, '-o', trace, ...command],
    {
      encoding: 'utf8',
      timeout: 30_000,
    },
  )
  expect(result.stderr).toBe('')
  expect(result.stdout).toContain('Plan: 1 to add, 1 to change, 0 to repair, 1 to remove')
  expect(result.status).toBe(2)
  const lines = readFileSync(trace, 'utf8').split('\n').filter(Boolean)
  expect(lines.some(line => line.includes('definitions/web.json'))).toBe(true)
  const own = new Set(lines.map(line => line.split(' ')[0] ?? ''))
  expect(lines.flatMap(line => findOffence(line, own) ?? [])).toEqual([])
})

test('E2: reeve apply makes the calls that the previous test looks for', async ({ skip }) => {
  if (spawnSync('strace', ['-V']).status !== 0 && process.env.CI !== 'true') skip('there is no strace on this machine')
  await using lab = createEngineLab()
  // No supervisor to start: strace would follow it for life.
  lab.declare('web', { process: longRun(), state: 'stopped', enabled: false })
  const trace = lab.path('trace')
  const command = [process.execPath, ...argumentsOf(lab, 'apply')]
  spawnSync('strace', ['-f', '-qq', '-y', '-e', `trace=${changing}`, '-o', trace, ...command], { timeout: 30_000 })
  const lines = readFileSync(trace, 'utf8').split('\n').filter(Boolean)
  const offences = lines.flatMap(line => findOffence(line, new Set()) ?? []).join('\n')
  for (const word of ['O_CREAT', 'rename', 'mkdir', 'unlink', 'write']) expect(offences).toContain(word)
})

function run(lab: EngineLab): { child: ChildProcess; ended: Promise<{ code: number | null; signal: string | null }> } {
  const child = spawn(process.execPath, argumentsOf(lab, 'run'), { stdio: 'ignore' })
  const ended = new Promise<{ code: number | null; signal: string | null }>(resolve => {
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  return { child, ended }
}

test('E16: SIGTERM ends reeve run within 5 s, despite slow steps and waits, and touches no service', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  lab.declare('slow', { process: { ...diary('slow', lab.path('diary'), { stopping: 30 }), stop: { timeout: '1m' } } })
  const sick = { exec: { command: ['/bin/sleep', '60'] }, timeout: '50s', interval: '1s', startupTimeout: '10m' }
  lab.declare('sick', { process: longRun(), health: sick })
  lab.declare('after', { process: longRun(), dependsOn: ['sick'] })
  const { child, ended } = run(lab)
  await eventually('them to run', () => ['web', 'slow', 'sick'].every(name => startedBy(lab, name)))
  const pids = await Promise.all(['web', 'slow', 'sick'].map(async name => (await lab.observe(name)).pid ?? 0))
  lab.declare('slow', { process: longRun(2), state: 'stopped' })
  await eventually('the stop to be under way', async () => (await lab.observe('slow')).state === 'stopping')
  const began = Date.now()
  child.kill('SIGTERM')
  expect(await ended).toEqual({ code: 0, signal: null })
  expect(Date.now() - began).toBeLessThan(5_000)
  expect(pids.map(isAlive)).toEqual([true, true, true])
  expect(existsSync(`${lab.stateDirectory}/control/control.sock`)).toBe(false)
})

test('E16: a hanging supervisor does not delay the end', async () => {
  await using lab = createEngineLab()
  // An outside provider whose query takes a minute.
  const module = lab.path('hanging.mjs')
  writeFileSync(
    module,
    `import { writeFileSync } from 'node:fs'
    export default {
      type: 'hanging',
      capabilities: { process: [], queries: [['/bin/sleep']] },
      render: () => ({ problems: [] }),
      openObserver: (_instance, { host }) => ({
        probe: async () => ({ available: true }),
        async list() {
          setTimeout(() => writeFileSync('${lab.path('asked')}', ''), 200)
          await host.query(['/bin/sleep', '60'], { timeout: 60_000 })
          return []
        },
        observe: async () => new Map(),
      }),
    }\n`,
  )
  writeFileSync(lab.path('reeve.yaml'), `${readFileSync(lab.path('reeve.yaml'), 'utf8')}providers: [${module}]\n`)
  lab.declare('web', { process: longRun() })
  const { child, ended } = run(lab)
  await eventually('it to be asked', () => existsSync(lab.path('asked')))
  const began = Date.now()
  child.kill('SIGTERM')
  expect(await ended).toEqual({ code: 0, signal: null })
  expect(Date.now() - began).toBeLessThan(5_000)
})

test('E4, E15: SIGKILL of reeve run leaves services running and the state directory unlocked for the next one', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  const { child, ended } = run(lab)
  await eventually('web to run', () => startedBy(lab, 'web'))
  const { pid } = await lab.observe('web')
  child.kill('SIGKILL')
  await ended
  expect(isAlive(pid ?? 0)).toBe(true)
  expect(findSupervisorPid(lab.supervisorDirectory)).toBeDefined()
  const controller = await lab.run()
  expect((await controller.ready('web')).pid).toBe(pid)
})

/** The start is in the history. */
function startedBy(lab: EngineLab, name: string): boolean {
  return lab.history().some(({ facility, verb, result }) => facility === name && verb === 'start' && result === 'done')
}
