import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Process } from '../../../src/core/model/facility.ts'
import { validate } from '../../../src/engine/refresh/validation.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { findOutputProblem, findReadProblems, type PathCheckOptions } from '../../../src/host/service-paths.ts'
import { createEngineLab } from '../../labs/engine-lab.ts'
import { plainProcess } from '../../tools/plain-facility.ts'
import { createHostilePlace, type HostilePlace, root, stranger } from '../hostile-place.ts'

const isRoot = process.geteuid?.() === 0
const host = createReadHost()

let base = ''
let place: HostilePlace
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'reeve-'))
  place = createHostilePlace(base, host)
})
afterEach(() => rmSync(base, { recursive: true }))

function outputProblem(file: string, user?: string, options?: PathCheckOptions): string | undefined {
  const output = { file, maxSize: 1, keep: 1 }
  const process: Process = { ...plainProcess, command: ['x'], output, ...(user !== undefined && { user }) }
  return findOutputProblem(process, host, options)?.message
}

function readProblem(path: string, user?: string, options?: PathCheckOptions): string | undefined {
  const process: Process = { ...plainProcess, command: ['x'], ...(user !== undefined && { user }) }
  const [file] = findReadProblems({ ...process, environmentFiles: [path] }, host, options)
  const [secret] = findReadProblems({ ...process, environment: { A: { fromFile: path } } }, host, options)
  expect(file?.message).toBe(secret?.message)
  return file?.message
}

describe.runIf(isRoot)('S8: a path problem is reported before any step:', () => {
  test('an output that is no regular file, whoever the user is', () => {
    const logs = place.directory('logs', root)
    execFileSync('mkfifo', [join(logs, 'pipe')])
    place.link(join(logs, 'link'), '/dev/null')
    // As the loggers of scan directories have it.
    place.directory('logs/b.log.d', root)
    execFileSync('ln', ['-s', 'b.log.d/current', join(logs, 'b.log')])
    for (const user of [undefined, 'root', place.name]) {
      expect(outputProblem('/dev/null', user)).toBeUndefined()
      expect(outputProblem(join(logs, 'a.log'), user)).toBeUndefined()
      expect(outputProblem(join(logs, 'b.log'), user)).toBeUndefined()
      expect(outputProblem('/dev/full', user)).toMatch(/^\/dev\/full is a device, .* a regular file or to \/dev\/null$/)
      expect(outputProblem(join(logs, 'pipe'), user)).toContain('pipe is a device, pipe or socket')
      expect(outputProblem(logs, user)).toContain('is a directory')
      expect(outputProblem(join(logs, 'link'), user)).toContain('is a symlink; name the file that it leads to')
      expect(outputProblem(join(base, 'none/a.log'), user)).toContain(`no directory ${base}/none`)
      expect(outputProblem(join(base, 'none/a.log'), user, { isTentative: true })).toBeUndefined()
    }
  })

  test('a path of root in a directory that others can change, with what to do', () => {
    for (const [owner, mode, words] of [
      [place.user, 0o755, /belongs to user/],
      [{ ...place.user, uid: 0 }, 0o775, /can be written by group/],
      [root, 0o1777, /can be written by everybody/],
    ] as const) {
      const open = place.directory('open', owner, mode)
      for (const below of ['a.log', 'sub/a.log']) {
        place.directory('open/sub', root)
        if (mode === 0o1777 && below !== 'a.log') continue
        for (const user of [undefined, 'root']) {
          for (const problem of [outputProblem, readProblem]) {
            expect(problem(join(open, below), user)).toMatch(words)
            expect(problem(join(open, below), user, { isTentative: true })).toMatch(`${open} (owner ${owner.uid}`)
            expect(problem(join(open, below), user)).toMatch(
              /a directory that only root can write, or give the service a user of/,
            )
          }
        }
      }
      expect(outputProblem(join(open, 'a.log'), place.name)).toBeUndefined()
      expect(readProblem(join(open, 'a.log'), place.name)).toBeUndefined()
    }
  })

  test('a link of root that leads through a directory of somebody else', () => {
    const home = place.directory('home')
    place.file(join(home, 'env'), '')
    execFileSync('ln', ['-s', join(home, 'env'), join(base, 'env')])
    execFileSync('ln', ['-s', home, join(base, 'way')])
    expect(readProblem(join(base, 'env'))).toContain(`${home} (owner`)
    expect(outputProblem(join(base, 'way/a.log'))).toContain(`${home} (owner`)
    expect(outputProblem(join(base, 'way/a.log'), place.name)).toBeUndefined()
  })

  test('not a link of the admin in directories of root, which is followed', () => {
    const logs = place.directory('logs', root)
    execFileSync('ln', ['-s', logs, join(base, 'way')])
    execFileSync('ln', ['-s', place.secret, join(base, 'env')])
    expect(outputProblem(join(base, 'way/a.log'))).toBeUndefined()
    expect(readProblem(join(base, 'env'))).toBeUndefined()
    expect(readProblem(join(base, 'env'), place.name)).toBeUndefined()
  })

  test('a path that the user cannot reach, read or write', () => {
    const theirs = place.directory('theirs', stranger, 0o755)
    place.file(join(theirs, 'mine'), '', place.user, 0o600)
    place.file(join(theirs, 'theirs'), '', stranger, 0o600)
    expect(outputProblem(join(theirs, 'a.log'), place.name)).toContain(
      `cannot make ${theirs}/a.log in ${theirs} (owner`,
    )
    expect(outputProblem(join(theirs, 'mine'), place.name)).toBeUndefined()
    expect(outputProblem(join(theirs, 'theirs'), place.name)).toContain(`cannot write ${theirs}/theirs (owner`)
    expect(readProblem(join(theirs, 'mine'), place.name)).toBeUndefined()
    expect(readProblem(join(theirs, 'theirs'), place.name)).toContain(`cannot read ${theirs}/theirs (owner`)
    const shut = place.directory('shut', stranger, 0o700)
    for (const problem of [outputProblem, readProblem]) {
      expect(problem(join(shut, 'a'), place.name)).toContain(
        `${shut} (owner ${stranger.uid}, group ${stranger.gid}, mode 0700) is closed`,
      )
      expect(problem(join(shut, 'a'), place.name, { isTentative: true })).toBeUndefined()
      expect(problem(join(shut, 'a'), 'a-user-of-another-host')).toBeUndefined()
    }
  })
})

test.runIf(isRoot)('S8: plan and validate block a facility with an unusable path', async () => {
  await using lab = createEngineLab()
  const open = join(lab.directory, 'open')
  mkdirSync(open)
  chownSync(open, stranger.uid, stranger.gid)
  const command = ['sleep', '1000']
  lab.declare('log', { process: { command, output: { file: join(open, 'a.log') } } })
  lab.declare('env', { process: { command, environmentFiles: [join(open, 'env')] } })
  lab.declare('secret', { process: { command, environment: { A: { fromFile: join(open, 'token') } } } })
  lab.declare('device', { process: { command, output: { file: '/dev/full' } } })
  const overlaid = { file: join(open, 'a.log') }
  lab.declare('overlay', { process: { command }, config: { process: { output: overlaid } } })
  lab.declare('good', { process: { command, output: { file: '/dev/null' } } })
  const plan = await lab.plan()
  const blocked = new Map(plan.facilities.map(facility => [facility.name, facility.blocked]))
  expect(blocked.get('good')).toBeUndefined()
  expect(blocked.get('device')).toContain('spec.process.output.file of facility device: /dev/full is a device')
  for (const [name, field] of [
    ['log', 'output.file'],
    ['overlay', 'output.file'],
    ['env', 'environmentFiles'],
    ['secret', 'environment.fromFile'],
  ] as const) {
    expect(blocked.get(name)).toContain(`spec.process.${field} of facility ${name}: root cannot use ${open}/`)
  }
  const session = await lab.open()
  const said = (await validate(session)).diagnostics.map(({ message }) => message)
  expect(said.filter(message => message.includes('root cannot use')).length).toBe(4)
})
