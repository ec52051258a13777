import { chmodSync, chownSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { Process } from '../../../src/core/model/facility.ts'
import { createInstance, type ProcessInstance } from '../process-instance.ts'

const isRoot = process.geteuid?.() === 0
const user = 'nobody'

/** Runs a shell program once and returns its output. */
async function runOnce(made: ProcessInstance, program: string, process: Partial<Process> = {}): Promise<string> {
  const command = process.command ?? ['/bin/sh', '-c', program]
  await made.install('job', { restart: { policy: 'never', delay: 0 }, ...process, command })
  await made.act('start', 'job')
  await made.see('job', 'stopped', 'failed')
  return made.host.readText(process.output?.file ?? `${made.layout.logs}/job.log`) ?? ''
}

describe('a service', () => {
  test('runs with its directory, umask and limits', async () => {
    await using made = createInstance()
    const program = 'pwd; umask; ulimit -Sn; ulimit -Hn; ulimit -c'
    const limits = { nofile: 123, core: 'unlimited' } as const
    expect(await runOnce(made, program, { workingDirectory: '/usr', umask: 0o27, limits })).toBe(
      '/usr\n0027\n123\n123\nunlimited\n',
    )
    await made.act('remove', 'job')
    expect(await runOnce(made, 'pwd; umask')).toBe('/\n0022\n')
  })

  test('has an output file of only what it writes, even if it is killed', async () => {
    await using made = createInstance()
    expect(await runOnce(made, 'echo to stdout; echo to stderr >&2; kill -TERM $$')).toBe('to stdout\nto stderr\n')
  })

  test('S4: gets variables and secrets that are on no command line and in no definition', async () => {
    await using made = createInstance()
    writeFileSync(`${made.scratch}/token`, 'hunter2\n')
    writeFileSync(`${made.scratch}/env`, '# some\nB=2\nC="three"\nLD_DEBUG_OUTPUT=/dev/null\n')
    const environment = { A: "it's $HOME", C: 'own', TOKEN: { fromFile: `${made.scratch}/token` }, LD_BIND_NOW: '1' }
    await made.install('web', { command: ['sleep', '1000'], environment, environmentFiles: [`${made.scratch}/env`] })
    await made.act('start', 'web')
    const { pid = 0 } = await made.observe('web')
    const found = (made.host.readText(`/proc/${pid}/environ`) ?? '').split('\0').filter(Boolean).sort()
    expect(found.filter(pair => !/^(PATH|REEVE_RUN)=/.test(pair))).toEqual([
      "A=it's $HOME",
      'B=2',
      'C=own',
      'LD_BIND_NOW=1',
      'LD_DEBUG_OUTPUT=/dev/null',
      'PWD=/',
      'TOKEN=hunter2',
    ])
    const shim = made.host.process(pid)?.parent ?? 0
    const shown = [
      made.host.readText(`/proc/${shim}/cmdline`),
      made.host.readText(`${made.layout.runs}/web~1.sh`),
      made.host.readText(`${made.layout.definitions}/web.json`),
      made.host.readText(`${made.layout.state}/web.json`),
      made.host.readText(made.layout.log),
    ].join('\n')
    expect(shown).not.toContain('hunter2')
    // It must not reach the tools before the service, some of which run as root.
    const names = (made.host.readText(`/proc/${shim}/environ`) ?? '').split('\0').map(pair => pair.split('=')[0])
    expect(names).not.toContain('LD_BIND_NOW')
  })

  test('with a missing secret does not start, reports it, and reads the secret when it appears', async () => {
    await using made = createInstance()
    const path = `${made.scratch}/token`
    const environment = { TOKEN: { fromFile: path } }
    await made.install('web', { command: ['sleep', '1000'], environment, restart: { policy: 'always', delay: 100 } })
    const result = await made.attempt('start', 'web')
    expect(!result.ok && result.error.message).toContain(`variable TOKEN in ${path}`)
    expect(await made.observe('web')).toMatchObject({ state: 'starting', message: expect.stringContaining(path) })
    writeFileSync(path, 'x')
    await made.see('web', 'running')
  })

  test('ignores no signals, and leads a session and a group of its own', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'] })
    await made.act('start', 'web')
    const { pid = 0 } = await made.observe('web')
    expect(made.host.process(pid)).toMatchObject({ pid, group: pid, session: pid })
    expect(made.host.readText(`/proc/${pid}/status`)).toContain('SigIgn:\t0000000000000000')
    expect(made.host.readText(`/proc/${pid}/status`)).toContain('SigBlk:\t0000000000000000')
  })

  test.runIf(isRoot)('runs as its user and group, with the variables of the user', async () => {
    await using made = createInstance()
    const program = 'id -un; id -gn; id -G; echo "$USER $LOGNAME $HOME $SHELL"'
    const facts = made.host.findUser(user)
    const gid = made.host.findGroup('daemon')
    expect(await runOnce(made, program, { user })).toBe(
      `${user}\n${nameOfGroup(facts?.gid)}\n${facts?.gid}\n${user} ${user} ${facts?.home} ${facts?.shell}\n`,
    )
    await made.act('remove', 'job')
    expect(await runOnce(made, 'id -u; id -g', { user, group: 'daemon' })).toBe(`${facts?.uid}\n${gid}\n`)
    await made.act('remove', 'job')
    expect(await runOnce(made, 'id -u; id -g; id -G', { group: 'daemon' })).toBe(`0\n${gid}\n${gid}\n`)

    function nameOfGroup(id: number | undefined): string {
      const line = made.host
        .readText('/etc/group')
        ?.split('\n')
        .find(entry => entry.split(':')[2] === String(id))
      return line?.split(':')[0] ?? ''
    }
  })

  test.runIf(isRoot)('with an unknown user does not start', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'], user: 'nobody-of-that-name' })
    const result = await made.attempt('start', 'web')
    expect(!result.ok && result.error.message).toBe('there is no user nobody-of-that-name on this host')
  })
})

describe('output', () => {
  test('goes to a log of the service, or to the declared file', async () => {
    await using made = createInstance()
    expect(await runOnce(made, 'echo out; echo err >&2')).toBe('out\nerr\n')
    await made.act('remove', 'job')
    const file = `${made.scratch}/job.log`
    writeFileSync(file, 'before\n')
    expect(await runOnce(made, 'echo out', { output: { file, maxSize: 1_000, keep: 1 } })).toBe('before\nout\n')
    await made.act('remove', 'job')
    expect(made.host.readText(file)).toBe('before\nout\n')
  })

  test.runIf(isRoot)('to a declared file is created for the user of the service', async () => {
    await using made = createInstance()
    const file = `${made.scratch}/job.log`
    await runOnce(made, 'echo out', { user, output: { file, maxSize: 1_000, keep: 1 } })
    const facts = made.host.facts(file)
    expect([facts?.uid, (facts?.mode ?? 0).toString(8)]).toEqual([made.host.findUser(user)?.uid, '640'])
  })

  test('S6: is refused if it is a symlink', async () => {
    await using made = createInstance()
    writeFileSync(`${made.scratch}/target`, 'precious')
    symlinkSync(`${made.scratch}/target`, `${made.scratch}/job.log`)
    await made.install('job', {
      command: ['echo', 'x'],
      output: { file: `${made.scratch}/job.log`, maxSize: 1, keep: 1 },
    })
    const result = await made.attempt('start', 'job')
    expect(!result.ok && result.error.message).toContain('job.log is a symlink; name the file')
    expect(made.read('target')).toBe('precious')
  })

  test('is rotated when it has grown too large, unnoticed by the service', async () => {
    await using made = createInstance()
    const file = `${made.scratch}/web.log`
    const program = 'i=0; while :; do i=$((i + 1)); echo "line $i"; sleep 0.02; done'
    const command = ['sh', '-c', program]
    for (const [name, size] of [
      ['.1', 5_000],
      ['.2', 6_000],
    ] as const)
      writeFileSync(file + name, name.repeat(size))
    writeFileSync(file, 'x'.repeat(2_000))
    await made.install('web', { command, output: { file, maxSize: 1_000, keep: 2 } })
    await made.act('start', 'web')
    const { pid } = await made.observe('web')
    await eventually('it is rotated', () => made.read('web.log.1').startsWith('xxx'), 30_000)
    await eventually('it is emptied', () => statSync(file).size < 1_000)
    expect(made.read('web.log.2').startsWith('.1')).toBe(true)
    expect(made.host.facts(`${file}.3`)).toBeUndefined()
    const before = statSync(file).size
    await eventually('it goes on at the new end', () => statSync(file).size > before)
    expect(made.read('web.log')).toMatch(/^line \d+\n/)
    expect((await made.observe('web')).pid).toBe(pid)
  })

  test.runIf(isRoot)("S6: in a directory of another user is rotated with only that user's rights", async () => {
    await using made = createInstance()
    const directory = `${made.scratch}/theirs`
    const uid = made.host.findUser(user)?.uid ?? 0
    mkdirSync(directory)
    chmodSync(made.scratch, 0o755)
    chownSync(directory, uid, uid)
    const file = `${directory}/web.log`
    writeFileSync(`${made.scratch}/precious`, 'precious')
    await made.install('web', { command: ['sleep', '1000'], user, output: { file, maxSize: 10, keep: 2 } })
    await made.act('start', 'web')
    // The user replaces the file by a link to one that only root may write.
    rmSync(file)
    writeFileSync(file, 'y'.repeat(100))
    chownSync(file, uid, uid)
    symlinkSync(`${made.scratch}/precious`, `${file}.1`)
    symlinkSync(`${made.scratch}/precious`, `${file}.rotating`)
    await eventually('it is rotated', () => statSync(file).size === 0, 30_000)
    expect(made.read('precious')).toBe('precious')
    expect(made.host.facts(`${file}.1`)).toMatchObject({ kind: 'file', uid })
  })
})
