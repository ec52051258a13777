import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { processProvider } from '../../../providers/process/index.ts'
import { runitProvider } from '../../../providers/runit/index.ts'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { FacilityStatus } from '../../../src/core/contracts/status.ts'
import { createEngineLab } from '../../labs/engine-lab.ts'
import { runitHarness } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'
import { atSteps } from '../../tools/step-effects.ts'

function stalledOf(status: FacilityStatus | undefined): string {
  const found = status?.conditions.find(({ type }) => type === 'Stalled')
  return found?.status === 'True' ? `${found.reason}: ${found.message}` : ''
}

test.skipIf(!has('runsvdir'))(
  "E21: services of runit that stop each other as they start are stalled with each other's names, and continue when one is declared anew",
  { timeout: 120_000 },
  async () => {
    await using lab = createEngineLab({ providers: [processProvider, runitProvider], configuration: 'resync: 1s' })
    const directory = mkdtempSync(join(tmpdir(), 'reeve-undoing-'))
    const scanner = await runitHarness.setUp(directory)
    await using _scanner = {
      async [Symbol.asyncDispose]() {
        await scanner.tearDown()
        rmSync(directory, { recursive: true, force: true })
      },
    }
    const service = (name: string): string => join(String(scanner.options.serviceDirectory), name)
    const spec = { type: 'runit', runit: scanner.options }
    lab.write(
      'runit.yaml',
      JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'rack' }, spec }),
    )
    const declare = (name: string, mark: number): void =>
      lab.declare(name, { supervisor: 'rack', config: { runit: { run: `#!/bin/sh\nexec sleep ${mark}\n` } } })
    const isUp = (name: string): boolean =>
      spawnSync('sv', ['status', service(name)], { encoding: 'utf8' }).stdout.startsWith('run:')
    let isTamed = false
    declare('a', 1_000_000)
    declare('b', 1_000_000)
    const controller = await lab.run({
      listener: atSteps('start', (name, other) => {
        if (!isTamed && isUp(name)) spawnSync('sv', ['-w', '10', 'down', service(other)])
      }),
    })
    await eventually('both to be stalled', async () => {
      const found = [stalledOf(await controller.status('a')), stalledOf(await controller.status('b'))]
      return found.every(message => /^Undone: facilities a and b undo each other's steps/.test(message))
    })
    const told = controller.log.filter(({ level, message }) => level === 'warn' && message.includes('undo each other'))
    expect(told.map(({ fields }) => fields.facility).sort()).toEqual(['a', 'b'])
    const states = await Promise.all(['a', 'b'].map(async name => (await controller.status(name))?.state))
    expect(states.sort()).toEqual(['running', 'stopped'])
    isTamed = true
    declare('a', 1_000_001)
    for (const name of ['a', 'b']) expect(stalledOf(await controller.ready(name))).toBe('')
  },
)
