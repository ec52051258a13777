import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive, LONG_RUN, withLab } from '../../../src/conformance/lab.ts'
import { scanFamilies, serviceDirectoryOf, testWhere } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'
import { useHostUser } from '../../tools/host-user.ts'

const isRoot = process.geteuid?.() === 0

/** User of this run who tries to redirect root. */
const name = `reeve-safe-${process.pid}`
const user = useHostUser(name)

for (const { scanner, harness } of scanFamilies) {
  const { type } = harness.provider

  describe.skipIf(!has(scanner) || !isRoot).concurrent(type, { timeout: 300_000 }, () => {
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
          const supervise = join(await serviceDirectoryOf(lab), 'supervise')
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
          const supervise = join(await serviceDirectoryOf(lab), 'supervise')
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
        const directory = await serviceDirectoryOf(lab)
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
        const directory = await serviceDirectoryOf(lab)
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
