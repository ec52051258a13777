import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { openCliFixture, reevePath, sleeper } from '../labs/cli-fixture.ts'

// Behaviour that scripts and shells rely on: pipes, colours, completion, and that no unused module is loaded.

const reeve = `'${process.execPath}' '${reevePath}'`

test('a reader that closes the pipe early is no error', async () => {
  const names = Array.from({ length: 300 }, (_, index) => `service-${index}`)
  const home = openCliFixture(Object.fromEntries(names.map(name => [`${name}.yaml`, sleeper(name)])))
  const script = `set -o pipefail; ${reeve} plan --config reeve.yaml -o json | head -n 1`
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { cwd: home.directory, encoding: 'utf8' })
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '{\n', stderr: '' })
})

describe('colour is', () => {
  test.each([
    ['off in a pipe', {}, false],
    ['on with FORCE_COLOR', { FORCE_COLOR: '1' }, true],
    ['off with NO_COLOR, whatever else', { FORCE_COLOR: '1', NO_COLOR: '1' }, false],
  ])('%s', async (_name, env, wanted) => {
    const home = openCliFixture({ 'web.yaml': sleeper('web') })
    const { stdout } = await home.reeve(['plan'], { env })
    expect(stdout.includes('\x1b[')).toBe(wanted)
  })
})

describe('the log of reeve run is', () => {
  const run = `exec ${reeve} run --config reeve.yaml`
  const text = String.raw`\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\] INFO: reconciling /\S+/manifests`
  const json = String.raw`\{"level":"info","time":"[^"]+",.*"msg":"reconciling /\S+/manifests"\}`
  const logfmt = String.raw`time=\S+Z level=info .*msg="reconciling /\S+/manifests"`
  const journal = 'JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2)'

  test.each([
    ['JSON in a pipe', `${run} 2>&1 | cat >log`, json],
    ['text in a pipe if asked for', `${run} --log-format text 2>&1 | cat >log`, text],
    ['text in a file', `${run} 2>log`, text],
    ['logfmt in a file if asked for', `${run} --log-format logfmt 2>log`, logfmt],
    ['text without the time in the journal', `exec 2>log; ${journal} ${run}`, 'INFO: reconciling /\\S+/manifests'],
    ['JSON in a pipe, though its parent logs to the journal', `export ${journal}; ${run} 2>&1 | cat >log`, json],
  ])('%s', async (_name, script, line) => {
    const home = openCliFixture()
    const running = home.startProgram('bash', ['-c', script])
    // The shell, and what is in its pipe.
    const { child } = running
    const end = (): void => {
      if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), 'SIGTERM')
    }
    onTestFinished(end)
    const log = (): string => (existsSync(home.path('log')) ? readFileSync(home.path('log'), 'utf8') : '')
    await eventually('it logs', () => log().includes('\n'))
    expect(log()).toMatch(new RegExp(`^${line}\n`))
    end()
    await running.ended
  })
})

describe('no unused module is loaded', () => {
  const heavy = /node_modules\/(@homebridge|ajv|execa|chokidar|pino|pino-pretty|prom-client)\/|\.errors\.cjs/

  test.each([
    [['--version']],
    [['plan', '--help']],
    [['plam']],
    [['explain', 'spec']],
    [['validate']],
    [['plan']],
    [['status']],
  ])('by reeve %j', async args => {
    const home = openCliFixture({ 'web.yaml': sleeper('web') })
    const hook = `
      import { writeSync } from 'node:fs'
      export async function load(url, context, next) { writeSync(2, 'loads ' + url + '\\n'); return next(url, context) }`
    const watch = `
      import { writeSync } from 'node:fs'
      import { createRequire, register } from 'node:module'
      register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}))
      const { cache } = createRequire('/')
      process.on('exit', () => { for (const path of Object.keys(cache)) writeSync(2, 'loads ' + path + '\\n') })`
    const NODE_OPTIONS = `--import data:text/javascript,${encodeURIComponent(watch)}`
    const { stderr } = await home.reeve(args, { env: { NODE_OPTIONS } })
    expect(stderr).toMatch(/dist\/program-.*\.cjs\n/)
    const loaded = stderr.split('\n').filter(line => line.startsWith('loads '))
    expect(loaded.filter(line => heavy.test(line))).toEqual([])
  })
})
