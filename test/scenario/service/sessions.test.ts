import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { LONG_RUN, withLab } from '../../../src/conformance/lab.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { scanFamilies } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'

/** Users that every Debian has: one per provider, as they run side by side. */
const users = ['games', 'man', 'lp']
const host = createReadHost()

/** A process in the session of root's terminal can open it as /dev/tty and type into root's shell. */
for (const [index, { scanner, harness, lendingHarness }] of scanFamilies.entries()) {
  const user = users[index] ?? ''
  const { type } = harness.provider

  describe.skipIf(!has(scanner) || process.geteuid?.() !== 0)(type, { timeout: 120_000 }, () => {
    test("S8: a service's user runs in no session of root: neither the reload command nor the logger", async () => {
      await withLab(harness, async lab => {
        chmodSync(lab.directory, 0o755)
        const home = join(lab.directory, 'home')
        mkdirSync(home)
        const { uid = -1, gid = -1 } = host.findUser(user) ?? {}
        chownSync(home, uid, gid)
        const seen = join(home, 'seen')
        const command = ['/bin/sh', '-c', `exec cat /proc/self/stat >${seen}`]
        const output = { file: join(home, 'a.log') }
        lab.declare({ web: { process: { command: LONG_RUN, user, output, reload: { command } } } })
        await lab.converge()
        await lab.control.act('reload', 'web')
        expect(sessionIn(readFileSync(seen, 'utf8'))).not.toBe(host.process(process.pid)?.session)

        const loggers = (): readonly number[] =>
          host.processes().filter(pid => workingDirectoryOf(pid) === `${output.file}.d`)
        await eventually('the logger to run', () => existsSync(output.file) && loggers().length > 0)
        for (const pid of loggers()) expect(host.process(pid)).toMatchObject({ session: pid })
      })
    })

    test('S8: neither the service nor its logger inherits a file of root that the scanner has open', async () => {
      await withLab(lendingHarness, async lab => {
        chmodSync(lab.directory, 0o755)
        const home = join(lab.directory, 'home')
        mkdirSync(home)
        const { uid = -1, gid = -1 } = host.findUser(user) ?? {}
        chownSync(home, uid, gid)
        const file = join(home, 'a.log')
        lab.declare({ web: { process: { command: LONG_RUN, user, output: { file } } } })
        await lab.converge()
        const found = (): readonly number[] => host.processes().filter(pid => isOf(uid, pid, [`${file}.d`, '/']))
        const commands = (): readonly string[] => found().map(pid => host.readText(`/proc/${pid}/cmdline`) ?? '')
        await eventually('the service and its logger to run', () => {
          const names = commands()
          return names.length === 2 && names.includes(`${LONG_RUN.join('\0')}\0`) && !names.join().includes('/bin/sh')
        })
        for (const pid of found()) expect(filesOf(pid)).not.toContain('/etc/shadow')
      })
    })
  })
}

function isOf(uid: number, pid: number, directories: readonly string[]): boolean {
  return host.facts(`/proc/${pid}`)?.uid === uid && directories.includes(workingDirectoryOf(pid))
}

function filesOf(pid: number): readonly string[] {
  return execFileSync('find', [`/proc/${pid}/fd`, '-type', 'l', '-printf', '%l\n'], { encoding: 'utf8' }).split('\n')
}

function sessionIn(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3])
}

function workingDirectoryOf(pid: number): string {
  try {
    return execFileSync('readlink', [`/proc/${pid}/cwd`], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return ''
  }
}
