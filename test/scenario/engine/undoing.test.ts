import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { processProvider } from '../../../providers/process/index.ts'
import { runitProvider } from '../../../providers/runit/index.ts'
import { outcomeProblems } from '../../../src/cli/outcome-text.ts'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { EngineListener } from '../../../src/core/contracts/engine-event.ts'
import type { FacilityStatus } from '../../../src/core/contracts/status.ts'
import type { Verb } from '../../../src/core/plan/verb.ts'
import { createEngineLab, type EngineLab, longRun, type RunningController, reasonOf } from '../../labs/engine-lab.ts'
import { runitHarness } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'

vi.setConfig({ testTimeout: 120_000 })

function stalledOf(status: FacilityStatus | undefined): string {
  const found = status?.conditions.find(({ type }) => type === 'Stalled')
  return found?.status === 'True' ? `${found.reason}: ${found.message}` : ''
}

/** Waits until both are stalled with each other's names, and no step follows. */
async function expectStalled(controller: RunningController, lab: EngineLab): Promise<void> {
  await eventually('both to be stalled', async () => {
    const found = [stalledOf(await controller.status('a')), stalledOf(await controller.status('b'))]
    return found.every(message => /^Undone: facilities a and b undo each other's steps/.test(message))
  })
  const steps = controller.steps().length
  // Passes continue without steps.
  await passesOf(controller, 3)
  expect(controller.steps().length).toBe(steps)
  const told = controller.log.filter(({ level, message }) => level === 'warn' && message.includes('undo each other'))
  expect(told.map(({ fields }) => fields.facility).sort()).toEqual(['a', 'b'])
  const entries = lab.history().filter(({ reason }) => reason === 'undone')
  expect(entries.map(({ facility, result }) => [facility, result]).sort()).toEqual([
    ['a', 'failed'],
    ['b', 'failed'],
  ])
  for (const { error } of entries) expect(error).toMatch(/facilities a and b undo each other's steps/)
}

async function passesOf({ control }: RunningController, count: number): Promise<void> {
  let last: string | null | undefined
  for (let pass = 0; pass < count; pass += 1) {
    await eventually('a pass', async () => {
      const { controller } = await control.status()
      const isNew = controller?.lastPass !== last
      last = controller?.lastPass
      return isNew
    })
  }
}

/** Effects as steps of `a` and `b` end: in this process, as on a busy host another process could interfere at any time. */
function atSteps(verb: Verb, happen: (name: string, other: string) => void): EngineListener {
  const others = new Map([
    ['a', 'b'],
    ['b', 'a'],
  ])
  return event => {
    const other = others.get(event.facility)
    if (other !== undefined && event.type === 'step-finished' && event.step.verb === verb) happen(event.facility, other)
  }
}

describe("facilities that overwrite each other's files", () => {
  function declare(lab: EngineLab, name: string, content: string = name): void {
    lab.declare(name, { process: longRun(), files: [{ path: lab.path(`${name}.conf`), content }] })
  }

  function spoil(lab: EngineLab, name: string): void {
    writeFileSync(lab.path(`${name}.conf`), 'spoilt')
  }

  test.concurrent('E21: an apply that undoes its own steps fails and reports it', async () => {
    await using lab = createEngineLab()
    declare(lab, 'a')
    declare(lab, 'b')
    const started = new Set<string>()
    const listener = atSteps('start', (name, other) => {
      if (started.add(name).has(other)) for (const each of started) spoil(lab, each)
    })
    const outcome = await lab.apply({ listener })
    expect([outcome.failed, outcome.notReady]).toEqual([[], []])
    expect(outcome.undone.map(({ facility, steps, cause }) => [facility, steps[0]?.path, cause])).toEqual([
      [
        'a',
        lab.path('a.conf'),
        `file ${lab.path('a.conf')} is changed again, most likely by what was done about facility b`,
      ],
      [
        'b',
        lab.path('b.conf'),
        `file ${lab.path('b.conf')} is changed again, most likely by what was done about facility a`,
      ],
    ])
    expect(outcomeProblems(outcome).map(({ facility, kind, message }) => `${facility} is ${kind}: ${message}`)).toEqual(
      [
        expect.stringMatching(
          /^a is not as declared: .* \(file .*a\.conf is changed again, most likely by .* b\); to do: /,
        ),
        expect.stringMatching(
          /^b is not as declared: .* \(file .*b\.conf is changed again, most likely by .* a\); to do: /,
        ),
      ],
    )
  })

  test.concurrent("E21: a controller stalls both, each with the other's name, and continues when one is declared anew", async () => {
    await using lab = createEngineLab({ configuration: 'resync: 1s' })
    declare(lab, 'a')
    declare(lab, 'b')
    lab.declare('bystander', { process: longRun() })
    let isTamed = false
    const listener = atSteps('write-file', (_name, other) => {
      if (!isTamed && existsSync(lab.path(`${other}.conf`))) spoil(lab, other)
    })
    const controller = await lab.run({ listener })
    await expectStalled(controller, lab)
    expect(stalledOf(await controller.ready('bystander'))).toBe('')

    isTamed = true
    declare(lab, 'a', 'a anew')
    await eventually('both files to be as declared', () =>
      [
        ['a', 'a anew'],
        ['b', 'b'],
      ].every(([name, content]) => readFileSync(lab.path(`${name}.conf`), 'utf8') === content),
    )
    for (const name of ['a', 'b']) expect(stalledOf(await controller.ready(name))).toBe('')
  })
})

describe('a change made by somebody else', () => {
  test.concurrent('E21: is repaired each time and reported as such, blaming no facility', async () => {
    await using lab = createEngineLab()
    const path = lab.path('web.conf')
    lab.declare('web', { process: longRun(), files: [{ path, content: 'web\n', onChange: 'none' }] })
    lab.declare('bystander', { process: longRun() })
    const controller = await lab.run()
    for (let time = 0; time < 3; time += 1) {
      await controller.ready('web')
      writeFileSync(path, 'mine\n')
      await eventually('it to be put right', () => readFileSync(path, 'utf8') === 'web\n')
    }
    await eventually('it to be told', async () => reasonOf(await controller.status('web'), 'Undone') === 'ByOthers')
    const condition = (await controller.status('web'))?.conditions.find(({ type }) => type === 'Undone')
    expect(condition?.message).toBe(
      `file ${path} is changed again, by something other than Reeve or by itself, over and over`,
    )
    const told = controller.log.filter(({ message }) => message.includes('by something other than Reeve'))
    expect(told.map(({ message }) => message)).toEqual([expect.stringMatching(/^web: .*, 3 times in 1 minute; Reeve/)])
    expect(reasonOf(await controller.status('bystander'), 'Undone')).toBeUndefined()
  })
})

describe.skipIf(!has('runsvdir'))('services of runit that stop each other as they start', () => {
  async function openLab(): Promise<
    AsyncDisposable & {
      readonly lab: EngineLab
      declare(name: string): void
      /** Stops it manually, until it is down. */
      down(name: string): void
      isUp(name: string): boolean
    }
  > {
    const lab = createEngineLab({ providers: [processProvider, runitProvider], configuration: 'resync: 1s' })
    const directory = mkdtempSync(join(tmpdir(), 'reeve-undoing-'))
    const scanner = await runitHarness.setUp(directory)
    const services = String(scanner.options.serviceDirectory)
    const spec = { type: 'runit', runit: scanner.options }
    lab.write(
      'runit.yaml',
      JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'rack' }, spec }),
    )
    return {
      lab,
      declare: name =>
        lab.declare(name, { supervisor: 'rack', config: { runit: { run: '#!/bin/sh\nexec sleep 1000000\n' } } }),
      down: name => void spawnSync('sv', ['-w', '10', 'down', join(services, name)]),
      isUp: name => spawnSync('sv', ['status', join(services, name)], { encoding: 'utf8' }).stdout.startsWith('run:'),
      async [Symbol.asyncDispose]() {
        await lab[Symbol.asyncDispose]()
        await scanner.tearDown()
        rmSync(directory, { recursive: true, force: true })
      },
    }
  }

  test("E21: both are stalled with each other's names, and continue when one is declared anew", async () => {
    await using made = await openLab()
    const { lab, declare, down, isUp } = made
    declare('a')
    declare('b')
    let isTamed = false
    const listener = atSteps('start', (name, other) => {
      if (!isTamed && isUp(name)) down(other)
    })
    const controller = await lab.run({ listener })
    await expectStalled(controller, lab)
    const states = await Promise.all(['a', 'b'].map(async name => (await controller.status(name))?.state))
    expect(states.sort()).toEqual(['running', 'stopped'])
    isTamed = true
    lab.declare('a', { supervisor: 'rack', config: { runit: { run: '#!/bin/sh\nexec sleep 1000001\n' } } })
    for (const name of ['a', 'b']) expect(stalledOf(await controller.ready(name))).toBe('')
  })

  test('E21: an apply that stops a service it has just started names the cause', async () => {
    await using made = await openLab()
    const { lab, declare, down } = made
    declare('a')
    expect(outcomeProblems(await lab.apply())).toEqual([])
    declare('b')
    // It had no step, and it ran before.
    const outcome = await lab.apply({ listener: atSteps('start', (_name, other) => down(other)) })
    const cause = 'it is stopped again, most likely by what was done about facility b'
    expect(outcome.undone).toMatchObject([{ facility: 'a', steps: [{ id: 'a/start' }], cause }])
    expect(outcomeProblems(outcome)).toMatchObject([{ facility: 'a', message: expect.stringContaining(cause) }])
    // The next apply starts it, and leaves b alone.
    expect(outcomeProblems(await lab.apply())).toEqual([])
  })

  test('E21: a service stopped again and again by an administrator is started each time, and this is reported', async () => {
    await using made = await openLab()
    const { lab, declare, down } = made
    declare('a')
    declare('bystander')
    const controller = await lab.run()
    for (let time = 0; time < 3; time += 1) {
      await controller.ready('a')
      down('a')
      await eventually(
        'it to be stopped',
        async () => controller.steps().filter(id => id === 'a/start').length === time + 2,
      )
    }
    await eventually('it to be told', async () => reasonOf(await controller.status('a'), 'Undone') === 'ByOthers')
    expect(stalledOf(await controller.status('a'))).not.toMatch(/^Undone/)
    expect(
      controller.log.filter(({ message }) => /^a: it is stopped again, by something other than Reeve/.test(message)),
    ).toHaveLength(1)
  })
})
