import { chmodSync, chownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { EngineEvent } from '../../../src/core/contracts/engine-event.ts'
import { createEngineLab, type EngineLab, planOf, type Spec, stepsDone } from '../../labs/engine-lab.ts'

const stranger = 12345
const isRoot = process.geteuid?.() === 0

/** `bin/run` is a program in a directory that only root can write; the policy allows paths in `bin` and `etc`. */
function openLab(policy: (path: EngineLab['path']) => string): EngineLab {
  const lab = createEngineLab({ configuration: 'policy: {}' })
  for (const name of ['bin', 'etc', 'other']) mkdirSync(lab.path(name))
  for (const name of ['bin', 'other']) {
    writeFileSync(lab.path(name, 'run'), '#!/bin/sh\nexec /bin/sleep 1000000\n', { mode: 0o755 })
  }
  writeFileSync(
    lab.path('reeve.yaml'),
    `apiVersion: reeve/v1\nkind: HostConfiguration\ndefaultSupervisor: lab\npolicy:\n  supervisorDirectories: [${lab.directory}]\n${policy(lab.path)}\n`,
  )
  return lab
}

const commands = (path: EngineLab['path']): string => `  commands: [${path('bin')}]`
const run = (lab: EngineLab, more: Spec = {}): Spec => ({ process: { command: [lab.path('bin/run')], ...more } })

async function blockedOf(lab: EngineLab, insecurePermissions = false): Promise<string | undefined> {
  const plan = await lab.plan({ insecurePermissions })
  expect(plan.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
  return planOf(plan, 'web')?.blocked
}

describe.runIf(isRoot)('S11: a path that others can redirect is refused before the plan:', () => {
  test.each<[string, (lab: EngineLab) => void, RegExp]>([
    ['in a directory of somebody else', lab => chownSync(lab.path('bin'), stranger, 0), /bin belongs to user 12345/],
    ['in a world-writable directory', lab => chmodSync(lab.path('bin'), 0o777), /bin can be written by everybody/],
    ['in a group-writable directory', lab => chmodSync(lab.path('bin'), 0o775), /bin can be written by its group/],
    ['a world-writable program', lab => chmodSync(lab.path('bin/run'), 0o777), /run can be written by everybody/],
    ['a program of somebody else', lab => chownSync(lab.path('bin/run'), stranger, 0), /run belongs to user 12345/],
  ])('a command %s', async (_, spoil, said) => {
    await using lab = openLab(commands)
    lab.declare('web', run(lab))
    expect(await blockedOf(lab)).toBeUndefined()
    spoil(lab)
    const blocked = await blockedOf(lab)
    expect(blocked).toMatch(said)
    expect(blocked).toMatch(/facility web may not run .*: others can change what that is/)
    expect(await blockedOf(lab, true)).toBeUndefined()
  })

  test('not a program of root in a sticky directory, which nobody can replace', async () => {
    await using lab = openLab(commands)
    lab.declare('web', run(lab))
    chmodSync(lab.path('bin'), 0o1777)
    expect(await blockedOf(lab)).toBeUndefined()
  })

  test('not a command in a directory of the user that it runs as', async () => {
    await using lab = openLab(commands)
    chmodSync(lab.directory, 0o755)
    chownSync(lab.path('bin'), 65534, 0)
    lab.declare('web', run(lab, { user: 'nobody' }))
    expect(await blockedOf(lab)).toBeUndefined()
    lab.declare('web', run(lab, { user: 'daemon' }))
    expect(await blockedOf(lab)).toMatch(/bin belongs to user 65534/)
  })

  test.each<[string, (lab: EngineLab) => Spec]>([
    ['a file', lab => ({ ...run(lab), files: [{ path: lab.path('etc/a/b'), content: '' }] })],
    ['output', lab => run(lab, { output: { file: lab.path('etc/a/log') } })],
    ['a secret', lab => run(lab, { environment: { A: { fromFile: lab.path('etc/a/key') } } })],
    ['an environment file', lab => run(lab, { environmentFiles: [lab.path('etc/a/key')] })],
  ])('the path of %s', async (_, spec) => {
    await using lab = openLab(path => `  files: [${path('etc')}]\n  reads: [${path('etc')}]`)
    mkdirSync(lab.path('etc/a'))
    writeFileSync(lab.path('etc/a/key'), '')
    lab.declare('web', spec(lab))
    expect(await blockedOf(lab)).toBeUndefined()
    chownSync(lab.path('etc'), stranger, 0)
    expect(await blockedOf(lab)).toMatch(/others can change what that is.*etc belongs to user 12345/)
  })

  test('a missing path that others can create', async () => {
    await using lab = openLab(commands)
    lab.declare('web', { process: { command: [lab.path('bin/later/run')] } })
    expect(await blockedOf(lab)).toBeUndefined()
    chmodSync(lab.path('bin'), 0o1777)
    expect(await blockedOf(lab)).toMatch(/bin can be written by everybody/)
  })
})

describe('S11: the policy is checked again before each step:', () => {
  test('a link that was redirected since the plan is refused', async () => {
    await using lab = openLab(commands)
    symlinkSync('bin', lab.path('now'))
    lab.declare('web', { process: { command: [lab.path('now/run')] } })
    const events: EngineEvent[] = []
    const { failed } = await lab.apply({
      listener(event) {
        events.push(event)
        if (event.type !== 'step-finished' || event.step.verb !== 'install') return
        rmSync(lab.path('now'))
        symlinkSync('other', lab.path('now'))
      },
    })
    expect(stepsDone(events)).toEqual(['web/install'])
    expect(failed).toMatchObject([
      {
        facility: 'web',
        message: expect.stringMatching(/may not run .*now\/run, which is .*other\/run: not allowed by policy.commands/),
      },
    ])
    expect((await lab.observe('web')).pid).toBeUndefined()
  })

  test('a file whose directory was redirected since the plan is refused', async () => {
    await using lab = openLab(path => `  files: [${path('etc')}]`)
    symlinkSync('etc', lab.path('now'))
    lab.declare('web', {
      process: { command: ['/bin/sleep', '1000000'] },
      files: [{ path: join(lab.path('now'), 'a'), content: 'a' }],
    })
    const { failed } = await lab.apply({
      listener(event) {
        if (event.type !== 'step-finished' || event.step.verb !== 'install') return
        rmSync(lab.path('now'))
        symlinkSync('other', lab.path('now'))
      },
    })
    expect(failed).toMatchObject([{ message: expect.stringMatching(/may not write .*: not allowed by policy.files/) }])
  })
})
