import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { type Lab, LONG_RUN, withLab } from '../../../src/conformance/lab.ts'
import { makeDirectoryIn, scanFamilies } from '../../labs/scan-lab.ts'
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
          own: makeDirectoryIn(lab, 'own', 0o755, user),
          // The group of the directory gives the logger no rights.
          lent: makeDirectoryIn(lab, 'lent', 0o755, { uid: user.uid, gid: 0 }),
          shared: makeDirectoryIn(lab, 'shared', 0o775, { uid: 0, gid: user.gid }),
          closed: makeDirectoryIn(lab, 'closed', 0o755),
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
        const home = makeDirectoryIn(lab, 'home', 0o755, user)
        const shared = makeDirectoryIn(lab, 'shared', 0o775, { uid: 0, gid: user.gid })
        const made = makeDirectoryIn(lab, 'made', 0o755)
        makeDirectoryIn(lab, 'made/a.log.d', 0o755, user)
        const planted = makeDirectoryIn(lab, 'planted', 0o755)
        makeDirectoryIn(lab, 'planted/a.log.d', 0o750)
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
        const directory = makeDirectoryIn(lab, 'logs', 0o755)
        execFileSync('mknod', [join(directory, 'device'), 'c', '1', '3'])
        execFileSync('mkfifo', [join(directory, 'pipe')])
        makeDirectoryIn(lab, 'logs/directory', 0o755)
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
  })
}

/** Problems reported by the plan or in the observation. */
async function complaintOf(lab: Lab, facility: string): Promise<string | undefined> {
  const planned = (await lab.plan()).facilities.find(one => one.name === facility)
  return planned?.blocked ?? (await lab.observe(facility)).message
}

function readlinkOf(pid: number | undefined, fd: number): string {
  return execFileSync('readlink', [`/proc/${pid}/fd/${fd}`], { encoding: 'utf8' }).trim()
}

/** Everything below, with owners. */
function list(directory: string): string[] {
  return readdirSync(directory, { recursive: true })
    .map(path => `${path} ${lstatSync(join(directory, String(path))).uid}`)
    .sort()
}
