import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
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

test('its library and its conformance suite are exported as documented', () => {
  const directory = unpack()
  const script = `
    const [library, suite, schema] = await Promise.all([
      import('reeve'), import('reeve/conformance'), import('reeve/schemas/facility.schema.json', { with: { type: 'json' } }),
    ])
    console.log(JSON.stringify([Object.keys(library), Object.keys(suite), schema.default.title]))`
  const said = run(process.execPath, ['--no-warnings', '--input-type=module', '--eval', script], directory)
  const [library, suite, title] = JSON.parse(said)
  expect(suite).toEqual(['conformanceCases'])
  expect([library.length > 0, title]).toEqual([true, expect.any(String)])
})
