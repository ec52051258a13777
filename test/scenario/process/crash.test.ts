import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseDefinition } from '../../../providers/process/shared/definition.ts'
import { definitionPath, recordPath, runPath } from '../../../providers/process/shared/layout.ts'
import { createRecord, formatRecord, type ServiceRecord } from '../../../providers/process/shared/service-record.ts'
import { findTools } from '../../../providers/process/shared/tools.ts'
import { chainOf, renderShim } from '../../../providers/process/supervisor/shim-script.ts'
import { eventually } from '../../../src/conformance/eventually.ts'
import { openReport } from '../../runner/report.ts'
import { drawSample } from '../../runner/sample.ts'
import { type BundledProgram, bundleProgram } from '../../tools/bundled-program.ts'
import { createInstance, findProcesses, type ProcessInstance } from '../process-instance.ts'

let daemon: BundledProgram
beforeAll(async () => {
  daemon = await bundleProgram(new URL('../children/crashing-supervisor.ts', import.meta.url))
})
afterAll(() => daemon[Symbol.dispose]())

/** Requests of one run of the supervisor; the state is checked after each step. */
const scenarios: Readonly<Record<string, (made: ProcessInstance) => Promise<void>>> = {
  'start, restart, stop, start, remove': async made => {
    await made.install('web', {
      command: ['/bin/sh', '-c', 'echo run >>runs; exec sleep 1000'],
      workingDirectory: made.scratch,
    })
    await made.act('start', 'web')
    await expectRuns(made, 'web', 1)
    await made.act('restart', 'web')
    await expectRuns(made, 'web', 2)
    await made.act('stop', 'web')
    expect(livingCopies(made)).toBe(0)
    expect((await made.see('web', 'stopped')).exit).toEqual({ signal: 'TERM' })
    await made.act('start', 'web')
    await expectRuns(made, 'web', 3)
    await made.act('remove', 'web')
    expect(livingCopies(made)).toBe(0)
    for (const directory of ['definitions', 'enabled', 'state', 'runs', 'logs'] as const) {
      expect(readdirSync(made.layout[directory])).toEqual([])
    }
  },
  'a run that ends by itself and is not restarted': async made => {
    await made.install('job', {
      command: ['/bin/sh', '-c', 'echo run >>runs; exit 7'],
      workingDirectory: made.scratch,
      restart: { policy: 'never', delay: 100 },
    })
    await made.act('start', 'job')
    const observed = await eventually('its end is known', async () => {
      // As the engine does for a service that is unsupervised.
      if (made.supervisor() === undefined) await made.act('enable', 'job')
      const found = await made.observe('job')
      return found.state === 'failed' && found.supervised ? found : undefined
    })
    expect(observed.exit).toEqual({ code: 7 })
    expect(made.read('runs')).toBe('run\n')
  },
}

const report = openReport('crash-supervisor', 'SIGKILL of the built-in supervisor at its effects', [
  'SCENARIO',
  'POINTS',
  'FAILED',
  'OF',
  'FIRST',
  'STRIDE',
])

for (const [name, scenario] of Object.entries(scenarios)) {
  test(`E4: the supervisor killed by SIGKILL at any effect completes when restarted: ${name}`, {
    timeout: 300_000,
  }, async () => {
    const moments = await countMoments(scenario)
    expect(moments).toBeGreaterThan(20)
    const failures: string[] = []
    const { first, stride } = drawSample(6)
    const open = Array.from({ length: Math.ceil((moments - first + 1) / stride) }, (_, index) => first + index * stride)
    const points = open.length
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let moment = open.shift(); moment !== undefined; moment = open.shift()) {
          const failure = await crashAt(moment, scenario)
          if (failure) failures.push(failure)
        }
      }),
    )
    report.add(name, points, failures.length, moments, first, stride)
    expect(failures).toEqual([])
  })
}

test('E4: a shim that comes after the next supervisor has claimed its run starts nothing', async () => {
  await using made = createInstance()
  const { layout, host, scratch } = made
  await made.install('web', {
    command: ['/bin/sh', '-c', 'echo run >>runs; exec sleep 1000'],
    workingDirectory: scratch,
  })
  // Leftovers of a supervisor that is killed around the spawn of a shim.
  await made.act('enable', 'web')
  await made.killSupervisor()
  const definition = parseDefinition(host.readText(definitionPath(layout, 'web')))
  if (definition.kind !== 'valid') throw new Error('expected a valid definition')
  const { process } = definition
  const plan = {
    service: 'web',
    run: 1,
    bootId: host.bootId(),
    umask: 0o022,
    workingDirectory: scratch,
    chain: chainOf(process, undefined, [], findTools(host)),
    opensOutput: false,
  }
  const script = renderShim(layout, plan)
  writeFileSync(runPath(layout, 'web', 1, 'sh'), script)
  const record: ServiceRecord = { ...createRecord('up', host.bootId(), Date.now()), phase: 'starting', run: 1 }
  writeFileSync(recordPath(layout, 'web'), formatRecord(record))
  // The shim has read its script already, so removing it does not stop the shim.
  const late = join(scratch, 'late.sh')
  writeFileSync(late, script)

  await made.act('start', 'web')
  await expectRuns(made, 'web', 1)
  expect(spawnSync('/bin/sh', [late], { timeout: 5_000, killSignal: 'SIGKILL' }).status).toBe(0)
  await expectRuns(made, 'web', 1)

  // While the claim stands, the script does too.
  writeFileSync(runPath(layout, 'web', 2, 'sh'), script.replaceAll('web~1.', 'web~2.'))
  writeFileSync(late, script.replaceAll('web~1.', 'web~2.'))
  expect(spawnSync('/bin/sh', [late], { timeout: 5_000, killSignal: 'SIGKILL' }).status).toBe(0)
  await expectRuns(made, 'web', 1)
})

async function countMoments(scenario: (made: ProcessInstance) => Promise<void>): Promise<number> {
  const plan = planPath(0)
  writeFileSync(plan, '0')
  await using made = createInstance({ command: [process.execPath, daemon.path, plan] })
  await scenario(made)
  // The supervisor is alive and may be writing it just now.
  const count = await eventually(
    'the moments are counted',
    () => Number(readFileSync(`${plan}.count`, 'utf8')) || undefined,
  )
  for (const file of [plan, `${plan}.count`]) rmSync(file)
  return count
}

/** Undefined if nothing is wrong. */
async function crashAt(
  moment: number,
  scenario: (made: ProcessInstance) => Promise<void>,
): Promise<string | undefined> {
  const plan = planPath(moment)
  writeFileSync(plan, String(moment))
  await using made = createInstance({ command: [process.execPath, daemon.path, plan] })
  try {
    await scenario(made)
    return undefined
  } catch (error) {
    const at = existsSync(`${plan}.killed`) ? readFileSync(`${plan}.killed`, 'utf8') : 'nowhere'
    const said = existsSync(made.layout.log) ? readFileSync(made.layout.log, 'utf8') : ''
    return `killed at ${moment} (${at}): ${error instanceof Error ? error.message : String(error)}\n${said}`
  } finally {
    for (const file of [plan, `${plan}.killed`]) rmSync(file, { force: true })
  }
}

function planPath(moment: number): string {
  return join(tmpdir(), `reeve-plan-${process.pid}-${moment}`)
}

async function expectRuns(made: ProcessInstance, service: string, count: number): Promise<void> {
  await eventually(
    'the program runs',
    () => (made.read('runs').length >= 4 * count && livingCopies(made) > 0) || undefined,
  )
  const observed = await made.see(service, 'running')
  expect(made.read('runs')).toBe('run\n'.repeat(count))
  expect(livingCopies(made)).toBe(1)
  expect(observed.pid).toBeDefined()
}

function livingCopies(made: ProcessInstance): number {
  return findProcesses('1000').filter(pid => readlinkQuietly(`/proc/${pid}/cwd`) === made.scratch).length
}

function readlinkQuietly(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
