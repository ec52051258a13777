import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { markVariable } from '../../../providers/posix/background.ts'
import { renderRun } from '../../../providers/scan-directory/definition/run-script.ts'
import type { FamilyScripts } from '../../../providers/scan-directory/family.ts'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { Process } from '../../../src/core/model/facility.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { assertReported, openPropertyReport } from '../../runner/reported-property.ts'

const directory = mkdtempSync(join(tmpdir(), 'reeve-'))
afterAll(() => rmSync(directory, { recursive: true }))

const report = openPropertyReport('property-scan-directory', 'Properties of run scripts, with the real shells')

const shells = ['/bin/sh', '/bin/bash'].filter(existsSync)

const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).map(text => text.replaceAll('\0', '')),
  fc.array(fc.constantFrom(...'\'"\\$`!*?~#&;|<>(){}[]=%^ \n\t\r-aé😀'), { maxLength: 12 }).map(all => all.join('')),
)
const name = fc.oneof(
  fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/),
  fc.constantFrom('PATH', 'IFS', 'LD_LIBRARY_PATH', 'PS4', 'CDPATH', 'ENV', 'HOME'),
)
/** A value as a line of an environment file can have it: what is around it is trimmed. */
const line = word.filter(text => !/[\r\n]/.test(text) && text.trim() === text && !/^(["']).*\1$/s.test(text))

const ways = shells.flatMap(shell => [
  { shell, hasFinish: true, what: 'that becomes the service' },
  { shell, hasFinish: false, what: 'that stays as its parent' },
])

function plainProcess(command: readonly string[]): Process {
  return {
    command,
    workingDirectory: directory,
    environment: {},
    environmentFiles: [],
    limits: {},
    restart: { policy: 'always', delay: 1_000 },
    stop: { signal: 'TERM', timeout: 0 },
  }
}

for (const { shell, hasFinish, what } of ways) {
  test(`S2: a run script ${what}, under ${shell}, runs exactly the command, in exactly the environment`, {
    timeout: 60_000,
  }, () => {
    assertReported(
      report,
      fc.property(
        fc.array(word, { maxLength: 8 }),
        fc.dictionary(name, word, { maxKeys: 6 }),
        fc.dictionary(
          name,
          // Of the line end at its end, a return is a part.
          word.filter(text => !text.endsWith('\r')),
          { maxKeys: 3 },
        ),
        fc.dictionary(name, line, { maxKeys: 4 }),
        (args, declared, secrets, listed) => {
          const environment: Record<string, string | { fromFile: string }> = { ...declared }
          for (const [key, value] of Object.entries(secrets)) {
            const path = join(directory, `secret-${key}`)
            writeFileSync(path, `${value}\n`)
            environment[key] = { fromFile: path }
          }
          const file = join(directory, 'listed')
          writeFileSync(
            file,
            Object.entries(listed)
              .map(pair => `${pair.join('=')}\n`)
              .join(''),
          )
          // Not a shell, which would change the environment on the way.
          const plain = plainProcess(['/bin/cat', '/proc/self/environ'])
          const process: Process = { ...plain, environment, environmentFiles: [file] }
          const found = new Map(
            run(shell, process, hasFinish)
              .split('\0')
              .filter(Boolean)
              .map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const),
          )
          const expected = { ...listed, ...declared, ...secrets }
          for (const [key, value] of Object.entries(expected)) expect([key, found.get(key)]).toEqual([key, value])
          const shellsOwn = ['PATH', 'PWD', 'OLDPWD', 'SHLVL', '_', markVariable]
          expect([...found.keys()].filter(key => !(key in expected) && !shellsOwn.includes(key))).toEqual([])

          const printed = run(shell, { ...process, command: ['/usr/bin/printf', '%s\\0', ...args] }, hasFinish)
          expect(printed).toBe(args.length === 0 ? '\0' : args.map(text => `${text}\0`).join(''))
        },
      ),
      { numRuns: 20 },
    )
  })
}

test.each(ways)('a process that got the number of the last run is left alone: $shell, a script $what', way => {
  const other = spawn('/bin/sleep', ['1000'], { detached: true, stdio: 'ignore' })
  try {
    const claim = `${other.pid} 1 1 ${createReadHost().bootId()}\n`
    expect(run(way.shell, plainProcess(['/bin/echo', 'well']), way.hasFinish, claim)).toBe('well\n')
    expect(createReadHost().process(other.pid ?? 0)?.state).toBe('S')
  } finally {
    other.kill('SIGKILL')
  }
})

test.each(shells)('an end that was asked for is known as such, though the supervisor says so late: %s', async shell => {
  const service = writeService(shell, plainProcess(['/bin/sleep', '1000']), {
    hasFinish: false,
    isWantedDown: '[ -e wanted-down ]',
  })
  const keeper = spawn(shell, ['./run'], { cwd: service, stdio: 'ignore' })
  try {
    const launched = (): number => Number(createReadHost().readText(join(service, 'reeve/launched'))?.split(' ')[0])
    await eventually('the service to run', () => launched() > 0)
    const pid = launched()
    keeper.kill('SIGTERM')
    await eventually('it to end', () => createReadHost().process(pid) === undefined)
    writeFileSync(join(service, 'wanted-down'), '')
    await eventually('the end to be written down', () => existsSync(join(service, 'reeve/ended')))
    expect(readFileSync(join(service, 'reeve/ended'), 'utf8')).toMatch(/^-1 15 asked /)
  } finally {
    keeper.kill('SIGKILL')
  }
})

test.each(
  [...shells, '/bin/busybox sh']
    .filter(shell => existsSync(shell.split(' ')[0] ?? ''))
    .flatMap(shell => [true, false].map(hasFinish => ({ shell, hasFinish }))),
)(
  'S8: no descriptor that the scanner has open reaches the service but that by which it says that it is ready: $shell, finish script: $hasFinish',
  ({ shell, hasFinish }) => {
    const own = plainProcess(['/bin/ls', '/proc/self/fd'])
    const service = writeService(shell, own, { hasFinish, isWantedDown: 'false', notificationFd: 20 })
    const open = 'for fd in 3 9 10 11 {12..200} 250 1000; do eval "exec $fd</etc/passwd"; done; exec "$@"'
    const { stdout, stderr } = spawnSync('/bin/bash', ['--norc', '-c', open, 'sh', ...shell.split(' '), './run'], {
      cwd: service,
      encoding: 'utf8',
      env: {},
    })
    expect(stderr).toBe('')
    // The last one is that of the listing.
    expect(stdout).toBe('0\n1\n2\n20\n3\n')
  },
)

/** Runs the script as the supervisor of a service would, and gives what it prints. */
function run(shell: string, process: Process, hasFinish: boolean, claim?: string): string {
  const service = writeService(shell, process, { hasFinish, isWantedDown: 'false' })
  if (claim !== undefined) writeFileSync(join(service, 'reeve/claim'), claim)
  const result = spawnSync(shell, ['./run'], { cwd: service, encoding: 'utf8', env: { LEAKED: 'no' } })
  expect(result.stderr).toBe('')
  return result.stdout
}

/** Gives the directory of its definition. */
function writeService(
  shell: string,
  process: Process,
  {
    hasFinish,
    isWantedDown,
    notificationFd,
  }: Pick<FamilyScripts, 'hasFinish' | 'isWantedDown'> & { readonly notificationFd?: number },
): string {
  const service = join(directory, 'service')
  // What the run before has left would have this one wait.
  rmSync(service, { recursive: true, force: true })
  mkdirSync(join(service, 'reeve'), { recursive: true })
  writeFileSync(join(service, 'reeve/files'), '')
  const scripts = {
    session: [],
    selectUser: () => '',
    hasFinish,
    hasControl: false,
    signalsGroup: true,
    stayDown: 'true',
    isWantedDown,
    runLogger: () => '',
    findRotationProblem: () => undefined,
    settings: [],
    moreFiles: () => ({}),
  }
  const text = renderRun({
    facility: 'web',
    supervisor: 'runsv',
    process,
    scripts,
    isNative: false,
    isPrepared: true,
    parts: ['run'],
    records: join(service, 'reeve'),
    ...(notificationFd !== undefined && { notificationFd }),
  })
  writeFileSync(join(service, 'run'), text.replaceAll('/bin/sh ./run', `${shell} ./run`))
  return service
}
