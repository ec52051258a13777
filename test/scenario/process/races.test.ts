import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findTools } from '../../../providers/process/shared/tools.ts'
import { createRotation } from '../../../providers/process/supervisor/rotation.ts'
import type { Process } from '../../../src/core/model/facility.ts'
import { createClock } from '../../../src/host/clock.ts'
import { startMeddling } from '../../tools/path-swapper.ts'
import { plainProcess } from '../../tools/plain-facility.ts'
import { createHostilePlace, type HostilePlace, root, secretText } from '../hostile-place.ts'
import { createInstance, type ProcessInstance } from '../process-instance.ts'

const isRoot = process.geteuid?.() === 0

/** Least duration of a user's path swapping, in ms. */
const duration = 10_000

/** Directories that the service's user can change. */
const openings = [
  ['of the user', (place: HostilePlace) => place.directory('open')],
  [
    'of root that its group can write',
    (place: HostilePlace) => place.directory('open', { ...place.user, uid: 0 }, 0o775),
  ],
] as const

for (const [what, open] of openings) {
  test
    .runIf(isRoot)
    .concurrent(
      `S8: a user who swaps paths at full speed in a directory ${what} has nothing of root's read, written or given away`,
      { timeout: 90_000 },
      async () => {
        await using made = createInstance()
        const place = createHostilePlace(made.scratch, made.host)
        const { user, name, closed, secret } = place
        const directory = open(place)
        const at = (path: string): string => join(directory, path)

        // The user's files, each with a way to root's beside it.
        const precious = place.file(join(closed, 'a.log'), `${secretText}\n`.repeat(10), root)
        place.directory('closed/inner', root, 0o755)
        place.directory('open/logs')
        place.directory('open/work/inner')
        place.file(at('logs/a.log'), 'x\n')
        place.file(at('b.log'), 'x\n')
        place.file(at('c.log'), 'x\n')
        place.file(at('token'), 'A=good')
        place.link(at('logs-trap'), closed)
        place.link(at('work-trap'), closed)
        place.link(at('b-trap'), secret)
        place.link(at('token-trap'), secret)
        const before = listing(closed)
        await using meddler = await startMeddling(
          {
            swaps: [
              [at('logs'), at('logs-trap')],
              [at('work'), at('work-trap')],
              [at('b.log'), at('b-trap')],
              [at('token'), at('token-trap')],
            ],
            links: [
              [at('c.log.rotating'), secret],
              [at('c.log.1'), secret],
            ],
          },
          user,
        )

        const report = place.file(join(made.scratch, 'report'), '')
        const least = Date.now() + duration
        // On a busy host it may take longer until a start has found the token itself.
        const isOver = (): boolean => Date.now() >= least && readFileSync(report, 'utf8').includes('TOKEN=A=good')
        const show = `{ env; pwd; ls -la; cat ${closed}/secret; } >>${report} 2>&1; echo "$A"`
        const logTo = (log: string): Partial<Process> => ({ output: { file: at(log), maxSize: 4_096, keep: 2 } })
        const hazards: readonly Partial<Process>[] = [
          logTo('logs/a.log'),
          logTo('b.log'),
          { ...logTo('c.log'), workingDirectory: at('work/inner') },
          { environmentFiles: [at('token')] },
          { environment: { TOKEN: { fromFile: at('token') } } },
        ]
        const writers = hazards.map(async (hazard, index) =>
          runOverAndOver(made, `job${index}`, { user: name, ...hazard, command: ['/bin/sh', '-c', show] }, isOver),
        )
        const rotations = rotateOverAndOver(made, ['logs/a.log', 'b.log', 'c.log'].map(at), name, isOver)
        const starts = await Promise.all(writers)
        expect(await rotations).toBeGreaterThan(10)
        expect(await meddler.stop()).toBeGreaterThan(1_000)

        // Some got through and some did not: else nothing has been tested.
        expect(starts.reduce((sum, { started }) => sum + started, 0)).toBeGreaterThan(0)
        expect(starts.reduce((sum, { refused }) => sum + refused, 0)).toBeGreaterThan(0)
        place.expectUntouched()
        expect(listing(closed)).toBe(before)
        expect(readFileSync(precious, 'utf8')).toBe(`${secretText}\n`.repeat(10))
        const seen = readFileSync(report, 'utf8')
        expect(seen).toContain('TOKEN=A=good')
        expect(seen).not.toContain(secretText)
        const theirs = execFileSync('find', [directory, '-type', 'f', '-exec', 'cat', '{}', '+'], { encoding: 'utf8' })
        expect(theirs).not.toContain(secretText)
      },
    )
}

/** Starts, reloads and removes a service as often as time permits. */
async function runOverAndOver(
  made: ProcessInstance,
  service: string,
  declared: Partial<Process> & Pick<Process, 'command'>,
  isOver: () => boolean,
): Promise<{ started: number; refused: number }> {
  let started = 0
  let refused = 0
  while (!isOver()) {
    await made.install(service, {
      restart: { policy: 'never', delay: 0 },
      reload: { command: declared.command },
      ...declared,
    })
    const result = await made.attempt('start', service)
    if (result.ok) started += 1
    else refused += 1
    await made.attempt('reload', service)
    await made.act('remove', service)
  }
  return { started, refused }
}

/** Rotates with the rights that the supervisor would use; returns how often. */
async function rotateOverAndOver(
  made: ProcessInstance,
  files: readonly string[],
  user: string,
  isOver: () => boolean,
): Promise<number> {
  const silent = (): void => {}
  let pending: Promise<unknown>[] = []
  let count = 0
  const host: typeof made.host = {
    ...made.host,
    spawn(command, options) {
      const child = made.host.spawn(command, options)
      pending.push(child.exited)
      count += 1
      return child
    },
  }
  const log = { debug: silent, info: silent, warn: silent, error: silent }
  const context = {
    host,
    layout: made.layout,
    log,
    clock: createClock(),
    tools: findTools(host),
    node: '',
    random: () => 0,
  }
  const rotation = createRotation(context)
  while (!isOver()) {
    const process: Process = { ...plainProcess, command: ['true'], user }
    for (const file of files) rotation.rotate({ file, maxSize: 1, keep: 2 }, 'job', process)
    await Promise.all(pending)
    pending = []
    await new Promise(resolve => setImmediate(resolve))
  }
  return count
}

/** Names, owners, modes and sizes of everything in a directory of root. */
function listing(directory: string): string {
  expect(readdirSync(directory).length).toBeGreaterThan(0)
  return execFileSync('find', [directory, '-printf', '%P %y %U %G %m %s %T@\n'], { encoding: 'utf8' })
}
