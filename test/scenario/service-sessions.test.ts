import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually, LONG_RUN, withLab } from '../../src/conformance/lab.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { has } from '../requirements.ts'
import { scanFamilies } from '../scan-lab.ts'

/** A user that every Debian has. */
const user = 'games'
const host = createReadHost()

/** Who shares a session with root's terminal can open it as /dev/tty, and type into root's shell. */
for (const { scanner, harness } of scanFamilies) {
  const { type } = harness.provider

  describe.skipIf(!has(scanner) || process.geteuid?.() !== 0).concurrent(type, { timeout: 120_000 }, () => {
    test("S8: a service's user runs in no session of root's: neither the reload command nor the logger", async () => {
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
  })
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
