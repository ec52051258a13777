import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { makeDirectory, writeFiles } from '../../tools/manifest-directory.ts'

const setup = fileURLToPath(new URL('../../../src/setup.mjs', import.meta.url))
const lock = (version: string) => JSON.stringify({ packages: { '': {}, 'node_modules/yaml': { version } } })

/** Replacement of npm: does in the checkout what npm would, and lists its calls. */
const npm = `
const { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const [verb] = process.argv.slice(2)
const until = 'hold-' + verb
appendFileSync('npm.log', verb + '\\n')
const parent = process.ppid
while (existsSync(until)) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
  if (process.ppid !== parent) process.exit(1) // whoever asked for it was killed: not two at once afterwards
}
if (existsSync('fail')) { console.log('error TS2304'); process.exit(2) }
if (verb === 'install') {
  rmSync('node_modules', { recursive: true, force: true })
  mkdirSync('node_modules')
  writeFileSync('node_modules/.package-lock.json', readFileSync('package-lock.json'))
} else {
  for (const directory of ['dist', 'schemas/compiled']) mkdirSync(directory, { recursive: true })
  for (const file of ['dist/reeve.cjs', 'dist/supervisor.js', 'schemas/compiled/facility.js', 'schemas/compiled/types.d.ts']) writeFileSync(file, '')
}
appendFileSync('npm.log', verb + ' done\\n')
`

describe('npm start, test and check first set up what they need:', () => {
  test('a fresh checkout is installed and built, with a line for each; then nothing is left to do', async () => {
    const { directory, run, commands } = makeCheckout()
    expect(await run()).toEqual({
      code: 0,
      output:
        'setup: installing what package-lock.json lists (npm install --no-save --include=dev)\nsetup: building (npm run build)\n',
    })
    expect(commands()).toEqual(['install', 'install done', 'run', 'run done'])
    expect(await run()).toEqual({ code: 0, output: '' })
    expect(commands()).toHaveLength(4)
    expect(existsSync(join(directory, 'dist/reeve.cjs'))).toBe(true)
  })

  test('a checkout copied with its times is unchanged: nothing is to be done', async () => {
    const { directory, run } = makeCheckout()
    await run()
    const copy = makeDirectory()
    execFileSync('cp', ['-a', '-T', directory, copy])
    expect(spawnSync(process.execPath, [join(copy, 'src/setup.mjs')], { encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    })
  })

  test.each<[string, (directory: string) => void, string[]]>([
    ['an edited source', directory => writeFiles(directory, { 'src/a.ts': 'b' }), ['run']],
    ['a new provider', directory => writeFiles(directory, { 'providers/x/a.ts': 'b' }), ['run']],
    ['a removed source', directory => rmSync(join(directory, 'src/a.ts')), ['run']],
    ['a restored source', directory => utimesSync(join(directory, 'src/a.ts'), 1, 1), ['run']],
    ['an edited schema', directory => writeFiles(directory, { 'schemas/a.schema.json': '[]' }), ['run']],
    ['changed compiler settings', directory => writeFiles(directory, { 'tsconfig.build.json': '{}' }), ['run']],
    ['no dist', directory => rmSync(join(directory, 'dist'), { recursive: true }), ['run']],
    ['no validators', directory => rmSync(join(directory, 'schemas/compiled'), { recursive: true }), ['run']],
    ['no node_modules', directory => rmSync(join(directory, 'node_modules'), { recursive: true }), ['install', 'run']],
    [
      'changed dependencies',
      directory => writeFiles(directory, { 'package-lock.json': lock('2.0.0') }),
      ['install', 'run'],
    ],
    [
      'changed dependencies that are older than what was installed',
      directory => {
        writeFiles(directory, { 'package-lock.json': lock('2.0.0') })
        utimesSync(join(directory, 'package-lock.json'), 1, 1)
      },
      ['install', 'run'],
    ],
    [
      'a lock file with only a newer time',
      directory => writeFiles(directory, { 'package-lock.json': lock('1.0.0') }),
      [],
    ],
    ['a manifest', directory => writeFiles(directory, { 'manifests/a.yaml': '' }), []],
  ])('%s causes the expected setup', async (_, change, expected) => {
    const { directory, run, commands } = makeCheckout()
    await run()
    const before = commands().length
    change(directory)
    expect(await run()).toMatchObject({ code: 0 })
    expect(
      commands()
        .slice(before)
        .filter(line => !line.endsWith('done')),
    ).toEqual(expected)
    expect(await run()).toEqual({ code: 0, output: '' })
  })

  test('two simultaneous runs do the work once', async () => {
    const { run, commands } = makeCheckout()
    const results = await Promise.all([run(), run(), run()])
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(commands()).toEqual(['install', 'install done', 'run', 'run done'])
  })

  test('the lock is released when its holder dies', async () => {
    const { directory, start, run, commands } = makeCheckout()
    writeFileSync(join(directory, 'hold-install'), '')
    const holder = start()
    await eventually('the first to install', () => commands().length === 1)
    const second = run()
    holder.kill('SIGKILL')
    await eventually('the second to install', () => commands().length === 2)
    expect(commands()).toEqual(['install', 'install'])
    rmSync(join(directory, 'hold-install'))
    expect(await second).toMatchObject({ code: 0 })
  })

  test('a failure of npm is shown, and nothing continues', async () => {
    const { directory, run } = makeCheckout()
    await run()
    writeFiles(directory, { fail: '', 'src/a.ts': 'b' })
    expect(await run()).toEqual({
      code: 1,
      output: 'setup: building (npm run build)\nerror TS2304\nsetup: npm run build failed\n',
    })
  })
})

function makeCheckout() {
  const directory = makeDirectory({
    'src/a.ts': 'a',
    'providers/p.ts': 'p',
    'schemas/a.schema.json': '{}',
    'package.json': '{}',
    'package-lock.json': lock('1.0.0'),
    'npm.cjs': npm,
  })
  copyFileSync(setup, join(directory, 'src/setup.mjs'))

  function start(): ChildProcess {
    const child = spawn(process.execPath, [join(directory, 'src/setup.mjs')], {
      env: { ...process.env, npm_execpath: join(directory, 'npm.cjs') },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    return child
  }

  return {
    directory,
    start,
    async run(): Promise<{ code: number | null; output: string }> {
      const child = start()
      let output = ''
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => (output += chunk))
      const code = await new Promise<number | null>(resolve => child.once('close', resolve))
      return { code, output }
    },
    commands(): string[] {
      const log = join(directory, 'npm.log')
      return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []
    },
  }
}
