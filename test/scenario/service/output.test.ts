import { spawn } from 'node:child_process'
import { truncateSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { validate } from '../../../src/engine/refresh/validation.ts'
import { openCliFixture } from '../../labs/cli-fixture.ts'
import { createEngineLab } from '../../labs/engine-lab.ts'

/** Prints the content of a file whenever it exists. */
function speaker(file: string): object {
  const script = `echo up; while :; do if [ -e ${file} ]; then cat ${file}; cat ${file} >&2; rm ${file}; fi; sleep 0.05; done`
  return { command: ['/bin/sh', '-c', script], output: 'stdout' }
}

test('output of services appears line by line after their names, both streams, across controllers and rotations', async () => {
  await using lab = createEngineLab()
  let said = ''
  const writeOutput = async (content: Uint8Array): Promise<void> => {
    said += Buffer.from(content).toString()
  }
  lab.declare('web', { process: speaker(lab.path('web.say')), state: 'running' })
  lab.declare('db', { process: speaker(lab.path('db.say')), state: 'running' })
  const first = await lab.run({ writeOutput })
  await eventually('both to be heard', () => said.includes('web | up\n') && said.includes('db | up\n'))
  writeFileSync(lab.path('web.say'), 'one\ntwo\n')
  await eventually('both streams to be heard', () => said.split('web | one\nweb | two\n').length === 3)
  await first.stop()
  // Without a controller, nothing is lost.
  writeFileSync(lab.path('web.say'), 'meanwhile\n')
  await eventually('it to be said', async () => (await lab.lines('supervisor/logs/web.log')).includes('meanwhile'))
  const second = await lab.run({ writeOutput })
  await eventually('it to be heard later', () => said.includes('web | meanwhile\n'))
  expect(said.split('web | up\n')).toHaveLength(2)
  // As a rotation that copies and truncates.
  truncateSync(lab.path('supervisor/logs/web.log'))
  writeFileSync(lab.path('web.say'), 'after\n')
  await eventually('what comes then to be heard', () => said.includes('web | after\n'))
  await second.stop()
})

test('the last output of services that are stopped at the end is still passed on', async () => {
  await using lab = createEngineLab()
  let said = ''
  const writeOutput = async (content: Uint8Array): Promise<void> => {
    said += Buffer.from(content).toString()
  }
  const script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
  lab.declare('web', { process: { command: ['/bin/sh', '-c', script], output: 'stdout' }, state: 'running' })
  const controller = await lab.run({ writeOutput, stopServices: true })
  await eventually('it to be heard', () => said.includes('web | up\n'))
  await controller.stop()
  expect(said).toMatch(/^web \| up\n(.*\n)*web \| bye\n$/)
})

test('a reader that reads nothing delays neither the controller nor a service', async () => {
  const script =
    'i=0; while [ $i -lt 20000 ]; do echo "line $i of many that nobody reads"; i=$((i+1)); done; exec sleep 1000'
  const spec = { process: { command: ['/bin/sh', '-c', script], output: 'stdout' }, readySeconds: 0 }
  const home = openCliFixture({
    'web.yaml': JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Facility', metadata: { name: 'web' }, spec }),
  })
  const { child } = home.start(['run', 'manifests'])
  child.stdout?.pause()
  await eventually('web runs', async () => (await home.status('web'))?.state === 'running')
  const log = home.path('state/process/logs/web.log')
  await eventually('it has said all', () =>
    spawnText('tail', ['-n', '1', log]).then(last => last.startsWith('line 19999')),
  )
  expect((await home.reeve(['restart', 'web'])).exitCode).toBe(0)
  child.kill('SIGTERM')
  await eventually('the controller has ended', () => child.exitCode !== null || child.signalCode !== null)
})

test('another provider refuses it by name', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: speaker('/nowhere'), supervisor: 'runit' })
  const { diagnostics } = await validate(await lab.open())
  expect(diagnostics.map(({ message }) => message).join()).toContain('spec.process.output.stdout of facility web')
})

function spawnText(program: string, args: readonly string[]): Promise<string> {
  return new Promise(resolve => {
    let text = ''
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    child.stdout.on('data', chunk => {
      text += String(chunk)
    })
    child.on('close', () => resolve(text))
  })
}
