import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { deadLinks } from '../labs/page-links.ts'

const project = join(import.meta.dirname, '../..')

/** The package in a directory of its own, with nothing of the project but its dependencies. */
function unpack(): string {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-package-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  // Without its scripts: it is built, and other tests run from the build.
  const said = run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', directory], project)
  const [{ filename }] = JSON.parse(said)
  run('tar', ['-xf', filename], directory)
  symlinkSync(join(project, 'node_modules'), join(directory, 'package/node_modules'))
  return join(directory, 'package')
}

function run(program: string, args: readonly string[], cwd: string): string {
  return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

test('the published package contains everything it needs to run', () => {
  const directory = unpack()
  const { bin, version } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
  const reeve = (...args: readonly string[]): string => run(process.execPath, [bin.reeve, ...args], directory)
  const listCompiled = (): string[] => readdirSync(join(directory, 'dist')).filter(name => name.endsWith('.cache'))
  // Its compiled form is of one version of Node, and written by the first run.
  expect(listCompiled()).toEqual([])
  expect(reeve('--version')).toBe(`${version}\n`)
  expect(listCompiled()).toHaveLength(1)
  expect(reeve('validate', 'manifests', '--insecure-permissions')).toMatch(/^\d+ facilities in .*: valid\.$/m)
  expect(reeve('explain', 'Facility.spec.process')).toContain('command')
  const pages = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(name =>
    /^(?!node_modules).*\.md$/.test(name),
  )
  expect(pages).toContain('docs/getting-started.md')
  expect(pages.flatMap(page => deadLinks(directory, page).map(link => `${page}: ${link}`))).toEqual([])
  expect(reeve('supervisors', '--state-dir', join(directory, 'state'), '--insecure-permissions')).toContain('systemd')
})

/** What an author may write in TypeScript: each method, and the types by which its parts are passed on. */
const outsideProvider = `
import { type Applier, type Bus, eachAction, type Instance, type Observed, type Observer, type ObserverTools, type Provider, ReeveError,
  type ReadHost, type ServiceTies, type SocketRule, type StartNeeds, type Task, type WriteHost } from 'reeve'
import { conformanceCases, type ConformanceHarness } from 'reeve/conformance'

const lists: SocketRule = ({ method, body }) => method === 'POST' && body.includes('getAllProcessInfo')
async function ask(host: ReadHost): Promise<string> {
  const { status, body } = await host.querySocket('/run/mine.sock', { path: '/status', timeout: 1_000 })
  if (status !== 200) throw new ReeveError('unavailable', body)
  return body
}
function look(service: string, state: Observed['state']): Observed {
  return { service, state, enabled: false, supervised: true }
}
function openObserver(instance: Instance, { host, clock, log }: ObserverTools): Observer {
  let bus: Bus | undefined
  return {
    async probe() {
      log.debug({ instance: instance.name, since: clock.now() }, await ask(host))
      return { available: true }
    },
    list: async () => [],
    observe: async services => new Map(services.map(service => [service, look(service, 'stopped')])),
    relate: async services => new Map<string, ServiceTies>(services.map(({ service }) => [service, { identities: [service], relations: [] }])),
    startNeeds: (): StartNeeds | undefined => undefined,
    [Symbol.dispose]: () => bus?.[Symbol.dispose](),
  }
}
const start = (host: WriteHost) => async ({ service, waitUntil }: Task): Promise<void> => {
  host.writeFile('/run/' + service, '', { mode: 0o644 })
  await waitUntil(() => host.facts('/run/' + service) !== undefined, { deadline: 1_000 })
}
export const provider: Provider = {
  type: 'mine',
  capabilities: { process: ['command'], queries: [['mine', 'show'], command => command[2] === 'status'], socketQueries: [lists] },
  render: () => ({ problems: [] }),
  openObserver,
  openApplier: (_instance, { host, clock }): Applier => ({ apply: eachAction(start(host), { clock, atOnce: 4 }), [Symbol.dispose]() {} }),
}
export const cases = (harness: ConformanceHarness): string[] => conformanceCases(harness).map(({ name }) => name)
`

test('an outside package in TypeScript, and the created provider, compile against what is published', () => {
  const directory = unpack()
  const outside = join(directory, '../outside')
  mkdirSync(join(outside, 'node_modules'), { recursive: true })
  symlinkSync(directory, join(outside, 'node_modules/reeve'))
  symlinkSync(join(project, 'node_modules/@types'), join(outside, 'node_modules/@types'))
  for (const name of ['provider.mjs', 'harness.mjs', 'provider.test.mjs']) {
    copyFileSync(join(directory, 'providers/template', name), join(outside, name))
  }
  writeFileSync(join(outside, 'mine.ts'), outsideProvider)
  writeFileSync(join(outside, 'package.json'), '{ "type": "module" }')
  const compilerOptions = {
    ...{ target: 'es2023', lib: ['es2023', 'esnext.disposable'], module: 'nodenext', types: ['node'], noEmit: true },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, allowJs: true, checkJs: true },
  }
  const files = ['mine.ts', 'provider.test.mjs']
  writeFileSync(join(outside, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  const compiler = join(project, 'node_modules/.bin/tsc')
  const { status, stdout } = spawnSync(compiler, ['-p', outside], { cwd: outside, encoding: 'utf8' })
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
})

test('its library and its conformance suite are exported as documented', () => {
  const directory = unpack()
  const script = `
    const [library, suite, schema] = await Promise.all([
      import('reeve'), import('reeve/conformance'), import('reeve/schemas/facility.schema.json', { with: { type: 'json' } }),
    ])
    console.log(JSON.stringify([Object.keys(library), Object.keys(suite), schema.default.title]))`
  const said = run(process.execPath, ['--no-warnings', '--input-type=module', '--eval', script], directory)
  const [library, suite, title] = JSON.parse(said)
  expect(suite.sort()).toEqual(['conformanceCases', 'startServices'])
  expect([library.length > 0, title]).toEqual([true, expect.any(String)])
})
