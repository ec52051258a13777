import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { type FacilitySpec, withLab } from '../../../src/conformance/lab.ts'
import { scanFamilies } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'
import { useHostUser } from '../../tools/host-user.ts'
import { startMeddling } from '../../tools/path-swapper.ts'

const isRoot = process.geteuid?.() === 0

const name = `reeve-race-${process.pid}`
const user = useHostUser(name)
const stranger = { uid: 0, gid: 0 }

/** Duration of the path swapping under each supervisor, in ms. */
const duration = 10_000

const secret = 'for-root-alone'

describe.skipIf(!isRoot).concurrent('S8: a user who swaps paths at full speed', { timeout: 300_000 }, () => {
  for (const { harness } of scanFamilies.filter(family => has(family.scanner))) {
    test(`does not redirect root: ${harness.provider.type}`, async () => {
      await withLab(harness, async lab => {
        chmodSync(lab.directory, 0o755)
        const make = (path: string, mode: number, owner: { uid: number; gid: number } = stranger): string => {
          const directory = join(lab.directory, path)
          mkdirSync(directory)
          chownSync(directory, owner.uid, owner.gid)
          chmodSync(directory, mode)
          return directory
        }
        // Root's: a directory to write to, one to run in, files to read and to move away.
        const target = make('private', 0o700)
        make('private/logs', 0o755)
        writeFileSync(join(target, 'secret'), `${secret}\n`, { mode: 0o600 })
        writeFileSync(join(target, 'env'), `STOLEN=${secret}\n`, { mode: 0o600 })
        const before = describeAll(target)
        const out = make('out', 0o755, user)
        const places = {
          own: make('own', 0o755, user),
          shared: make('shared', 0o775, { uid: 0, gid: user.gid }),
        }
        const facilities: Record<string, FacilitySpec> = {}
        const pairs: [string, string][] = []
        for (const [key, place] of Object.entries(places)) {
          const trap = (path: string, to: string): void => {
            const link = join(place, `${path}.trap`)
            symlinkSync(to, link)
            lchownSync(link, user.uid, user.gid)
            pairs.push([join(place, path), link])
          }
          const give = (path: string, content: string): void => {
            writeFileSync(join(place, path), content, { mode: 0o600 })
            chownSync(join(place, path), user.uid, user.gid)
          }
          for (const directory of ['logs', 'work', 'more']) make(`${key}/${directory}`, 0o755, user)
          make(`${key}/logs/a.log.d`, 0o750, user)
          give('secret', 'of-the-user\n')
          give('env', 'LISTED=of-the-user\n')
          give('more/a.log', 'before\n')
          trap('logs/a.log.d', join(target, 'logs'))
          trap('logs', join(target, 'logs'))
          trap('more/a.log', join(target, 'secret'))
          trap('secret', join(target, 'secret'))
          trap('env', join(target, 'env'))
          trap('work', target)
          const process = (output: string, more: object = {}): Readonly<Record<string, unknown>> => ({
            command: ['/bin/sh', '-c', tellAndLog(out)],
            user: name,
            workingDirectory: join(place, 'work'),
            environment: { SECRET: { fromFile: join(place, 'secret') } },
            environmentFiles: [join(place, 'env')],
            reload: { signal: 'USR1' },
            output: { file: join(place, output), maxSize: '8KiB', keep: 2 },
            ...more,
          })
          facilities[`${key}-logs`] = { process: process('logs/a.log') }
          facilities[`${key}-file`] = { process: process('more/a.log') }
          // Root's own directory: nothing is logged there at all.
          const plain = {
            command: ['/bin/sh', '-c', tellAndLog('/dev')],
            output: { file: join(place, 'logs/root.log') },
          }
          facilities[`${key}-root`] = { process: plain }
        }
        lab.declare(Object.fromEntries(Object.entries(facilities).map(([key, spec]) => [key, { ...spec, health }])))
        await lab.apply()
        await eventually('a service to run', () => readdirSync(out).length > 0)
        await using swapper = await startMeddling({ swaps: pairs }, user)
        for (const end = Date.now() + duration; Date.now() < end; ) {
          for (const key of Object.keys(facilities)) {
            // A failed action is reported and repeated.
            await lab.control.act('reload', key).catch(String)
            if (!key.endsWith('-root')) await lab.control.act('restart', key).catch(String)
          }
        }
        lab.declare({})
        await lab.apply({ allowRemovals: 100 })
        expect(await swapper.stop()).toBeGreaterThan(1_000)
        expect(describeAll(target)).toEqual(before)
        const said = readdirSync(out).map(file => readFileSync(join(out, file), 'utf8'))
        expect(said.filter(text => text.includes('of-the-user')).length).toBeGreaterThan(0)
        expect(said.filter(text => text.includes(secret) || text.includes(`in ${target}\n`))).toEqual([])
        expect(existsSync(join(String(lab.supervisor.options.definitionDirectory), 'own-logs'))).toBe(false)
      })
    })
  }
})

/** Limits the wait for services that can't become ready. */
const health = { exec: { command: ['/bin/true'] }, startupTimeout: '5s' }

/** Reports its input and its directory, then writes endlessly. */
function tellAndLog(out: string): string {
  const told = out === '/dev' ? ':' : `{ env; echo "in $(pwd -P)"; } >${out}/$$`
  return `trap : USR1; ${told}; while :; do i=0; while [ $i -lt 50 ]; do echo ${'x'.repeat(99)}; i=$((i + 1)); done; sleep 0.02; done`
}

/** Everything below, with owners, modes and contents. */
function describeAll(directory: string): string[] {
  return readdirSync(directory, { recursive: true })
    .map(String)
    .sort()
    .map(path => {
      const facts = lstatSync(join(directory, path))
      const content = facts.isFile() ? readFileSync(join(directory, path), 'utf8') : ''
      return `${path} ${facts.uid} ${facts.gid} ${facts.mode.toString(8)} ${content}`
    })
}
