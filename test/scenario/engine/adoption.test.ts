import { readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createEngineLab, type EngineLab, longRun, planOf, type Spec, stepsOf } from '../../labs/engine-lab.ts'

const goesOn = "adopt: writes Reeve's marker, the service goes on"

function definitionOf(lab: EngineLab, name: string): string {
  return `${lab.supervisorDirectory}/definitions/${name}.json`
}

async function pidsOf(lab: EngineLab, ...names: string[]): Promise<unknown[]> {
  return Promise.all(names.map(async name => (await lab.observe(name)).pid))
}

/** Lab of another Reeve on this host, with a state directory of its own. */
function asAnother(lab: EngineLab): { config: string; stateDir: string } {
  const text = readFileSync(lab.path('reeve.yaml'), 'utf8')
  writeFileSync(lab.path('other.yaml'), `${text}owner: another\n`)
  return { config: lab.path('other.yaml'), stateDir: lab.path('state-2') }
}

test.concurrent('E20: a service of another Reeve is adopted without a restart, and so are its dependents', async () => {
  await using lab = createEngineLab()
  const file = lab.path('web.conf')
  const declare = (more: Spec = {}): void => {
    lab.declare('db', { process: longRun(), ...more })
    lab.declare('web', { process: longRun(), files: [{ path: file, content: 'one\n' }], dependsOn: ['db'], ...more })
  }
  declare()
  await lab.apply()
  const before = await pidsOf(lab, 'db', 'web')
  const as = asAnother(lab)
  declare({ adopt: true })
  const plan = await lab.plan(as)
  expect(stepsOf(plan)).toEqual(['db/install', 'web/install'])
  expect(plan.facilities.map(({ steps }) => steps[0]?.detail)).toEqual([goesOn, goesOn])
  expect(await lab.apply({ session: await lab.open(as) })).toMatchObject({ failed: [], notReady: [], stepsDone: 2 })
  expect(await pidsOf(lab, 'db', 'web')).toEqual(before)
  expect(stepsOf(await lab.plan(as))).toEqual([])
})

test.concurrent('E20: a service that lost its marker, or all its state, keeps running', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun(), adopt: true })
  await lab.apply()
  const before = await pidsOf(lab, 'web')
  const definition = definitionOf(lab, 'web')
  const { process: form } = JSON.parse(readFileSync(definition, 'utf8'))
  writeFileSync(definition, JSON.stringify({ process: form }))
  rmSync(lab.stateDirectory, { recursive: true })
  const plan = await lab.plan()
  expect([stepsOf(plan), planOf(plan, 'web')?.steps[0]?.detail]).toEqual([['web/install'], goesOn])
  await lab.apply()
  rmSync(lab.stateDirectory, { recursive: true })
  expect([stepsOf(await lab.plan()), await pidsOf(lab, 'web')]).toEqual([[], before])
  // A definition that it doesn't run with is restarted, once.
  writeFileSync(definition, JSON.stringify({ process: { ...form, command: ['/bin/sleep', '77'] } }))
  lab.declare('web', { process: longRun(1), adopt: true })
  expect(stepsOf(await lab.plan())).toEqual(['web/install', 'web/restart'])
  await lab.apply()
  expect(stepsOf(await lab.plan())).toEqual([])
})

for (const [what, forget] of [
  ['and its state is kept', () => {}],
  ['and its state is lost', (lab: EngineLab) => rmSync(lab.stateDirectory, { recursive: true })],
] as const) {
  test.concurrent(`E20: a supervisor with another name in the same place keeps its services running, ${what}`, async () => {
    await using lab = createEngineLab()
    const declare = (supervisor: string): void => lab.declare('web', { supervisor, process: longRun() })
    declare('lab')
    await lab.apply()
    const before = await pidsOf(lab, 'web')
    unlinkSync(`${lab.manifests}/supervisor-lab.yaml`)
    lab.declareSupervisor('app', lab.supervisorDirectory)
    declare('app')
    forget(lab)
    expect(stepsOf(await lab.plan())).toEqual([])
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [], stepsDone: 0 })
    expect(await pidsOf(lab, 'web')).toEqual(before)
  })
}

test.concurrent('E20: a file that the service has already read is adopted without a restart', async () => {
  await using lab = createEngineLab()
  const path = lab.path('web.conf')
  writeFileSync(path, 'one\n', { mode: 0o644 })
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const before = await pidsOf(lab, 'web')
  const declare = (content: string): void =>
    lab.declare('web', { process: longRun(), files: [{ path, content }], adopt: true })
  declare('one\n')
  expect(stepsOf(await lab.plan())).toEqual(['web/install'])
  await lab.apply()
  expect([stepsOf(await lab.plan()), await pidsOf(lab, 'web')]).toEqual([[], before])
  declare('two\n')
  expect(stepsOf(await lab.plan())).toEqual([`web/write-file:${path}`, 'web/restart'])
  await lab.apply()
  expect(stepsOf(await lab.plan())).toEqual([])
})
