import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Diagnostic } from '../../../src/core/model/diagnostic.ts'
import { formatDiagnostics } from '../../../src/manifest/diagnostics/diagnostic-text.ts'
import { loadManifests } from '../../../src/manifest/manifest-source.ts'
import { localFiles } from '../../../src/manifest/read/manifest-files.ts'
import { openReport } from '../../runner/report.ts'
import { loadFiles } from '../../tools/manifest-directory.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/manifests', import.meta.url))
const types = ['process', 'runit', 'systemd']
const expected = readFileSync(join(fixtures, 'expected.txt'), 'utf8').trimEnd().split('\n')
const entries = readdirSync(fixtures, { withFileTypes: true }).filter(entry => !/\.(txt|md)$/.test(entry.name))

describe('each invalid or hostile manifest gets its expected diagnostics:', () => {
  test.each(entries.map(entry => [entry.name, entry.isDirectory()] as const))('%s', (name, isDirectory) => {
    const set = isDirectory ? loadManifests({ directory: join(fixtures, name), types }) : loadAlone(name)
    const lines = set.diagnostics.map(diagnostic => lineOf(diagnostic).replaceAll(`${fixtures}/`, ''))
    expect(lines).toEqual(expected.filter(line => line.startsWith(isDirectory ? `${name}/` : `${name}:`)))
    expect(lines).not.toEqual([])
    expect(set.complete).toBe(false)
    expect(set.facilities).toEqual([])
  })

  test('there are at least 60 of them', () => {
    const report = openReport('fixtures-manifests', 'Mistaken and hostile manifests, and what they are answered', [
      'FIXTURES',
      'DIAGNOSTICS',
      'CODES',
    ])
    report.add(entries.length, expected.length, new Set(expected.map(line => line.split(' ')[1])).size)
    expect(entries.length).toBeGreaterThan(60)
  })

  test('expected.txt mentions no other files', () => {
    const names = new Set(entries.map(entry => entry.name))
    expect(expected.filter(line => !names.has(line.split(/[:/]/, 1)[0] ?? ''))).toEqual([])
  })
})

const facility = 'apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: web }\nspec: {}\n'

describe('manifests that cannot be stored as text in this repository:', () => {
  test.each<[string, string, string | Uint8Array, string[]]>([
    ['an empty file', 'web.yaml', '', ['0:0 empty-file']],
    ['latin-1', 'web.yaml', Buffer.from('# M\xe4rz\n', 'latin1'), ['1:4 not-utf8']],
    ['UTF-16', 'web.yaml', Buffer.from(`\ufeff${facility}`, 'utf16le'), ['1:1 not-utf8']],
    ['a gzip file', 'web.yaml', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]), ['1:2 not-utf8']],
    ['more than 1 MiB', 'web.yaml', facility + '#'.repeat(1024 * 1024), ['0:0 file-too-large']],
    ['a million brackets', 'web.yaml', '['.repeat(1_000_000), ['1:1 nested-too-deeply']],
    ['a hundred thousand dashes', 'web.yaml', '- '.repeat(100_000), ['1:1 nested-too-deeply']],
    ['a million levels of JSON', 'web.json', '{"a":'.repeat(200_000), ['1:1 nested-too-deeply']],
    ['broken JSON', 'web.json', '{ "apiVersion": "reeve/v1",\n  "kind": }', ['2:3 unknown-kind']],
    ['JSON with a comment', 'web.json', `{} // no\n`, ['1:4 yaml-syntax']],
    ['half a JSON file', 'web.json', '{ "apiVersion": "reeve/v1",', ['1:28 yaml-syntax']],
    ['a duplicate key in JSON', 'web.json', '{ "kind": "Facility", "kind": "Supervisor" }', ['1:23 duplicate-key']],
    ['JSON that is no manifest', 'package.json', '{ "name": "web" }', ['1:3 unknown-kind']],
  ])('%s', (_, name, content, wanted) => {
    const { diagnostics, complete } = loadOne(name, content)
    expect(diagnostics.map(({ line, column, code }) => `${line}:${column} ${code}`)).toEqual(wanted)
    expect(complete).toBe(false)
  })

  test('many keys, aliases or mistakes take time linear in their number', () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `k${index}:`).join('\n')
    const aliases = `${facility}x: &x 1\ny: [${'*x, '.repeat(20_000)}]\n`
    const before = process.cpuUsage()
    expect(loadOne('web.yaml', keys).diagnostics).toHaveLength(1)
    expect(loadOne('web.yaml', facility + keys).diagnostics).toHaveLength(100)
    expect(loadOne('web.yaml', 'a:\n'.repeat(20_000)).diagnostics).toHaveLength(101)
    expect(loadOne('web.yaml', aliases).diagnostics).toHaveLength(2)
    // Comparing each with each would take many minutes.
    expect(process.cpuUsage(before).user / 1_000_000).toBeLessThan(5)
  }, 120_000)
})

describe('a valid file', () => {
  test.each<[string, string, string]>([
    ['a byte order mark', 'web.yaml', `\ufeff${facility}`],
    ['Windows line ends', 'web.yml', facility.replaceAll('\n', '\r\n')],
    ['no final newline', 'web.yaml', facility.trimEnd()],
    ['empty documents', 'web.yaml', `---\n---\n${facility}---\n# nothing\n`],
    ['an explicit document end', 'web.yaml', `---\n${facility}...\n`],
    ['JSON', 'web.json', '{"apiVersion":"reeve/v1","kind":"Facility","metadata":{"name":"web"},"spec":{}}'],
    [
      'JSON with tabs',
      'web.json',
      '{\n\t"apiVersion": "reeve/v1",\n\t"kind": "Facility",\n\t"metadata": {\n\t\t"name": "web"\n\t},\n\t"spec": {}\n}\n',
    ],
    ['aliases', 'web.yaml', facility.replace('{ name: web }', '{ name: &name web, labels: { app: *name } }')],
    ['redundant tags', 'web.yaml', facility.replace('web', '!!str web')],
  ])('%s', (_, name, content) => {
    const { diagnostics, complete, facilities } = loadOne(name, content)
    expect(diagnostics).toEqual([])
    expect(complete).toBe(true)
    expect(facilities.map(each => each.name)).toEqual(['web'])
  })

  test('with comments only has no facility', () => {
    expect(loadOne('web.yaml', '# nothing yet\n')).toMatchObject({ diagnostics: [], complete: true, facilities: [] })
  })
})

describe('S6: text from a manifest cannot steer the terminal:', () => {
  test('escape sequences and invisible characters are shown by their code', () => {
    const { diagnostics } = loadOne('web.yaml', facility.replace('{}', '{ state: "\u001b[2J\u202e" }'))
    expect(diagnostics).toHaveLength(1)
    expect(formatDiagnostics(diagnostics).replaceAll('\n', '')).not.toMatch(/\p{Cc}|\p{Cf}/u)
    expect(diagnostics[0]?.message).toContain('\\u001b[2J\\u202e')
  })

  test('file names are escaped too', () => {
    const { diagnostics } = loadOne('\u001b[2J.yaml', '')
    expect(formatDiagnostics(diagnostics)).toMatch(/\\u001b\[2J\.yaml {2}error {2}empty-file/)
  })

  test('of a long line only the part around the mistake is shown', () => {
    const { diagnostics } = loadOne(
      'web.yaml',
      facility.replace('{}', `{ process: { command: [${'a, '.repeat(9999)}1] } }`),
    )
    const [source = '', caret = ''] = diagnostics[0]?.excerpt?.split('\n') ?? []
    expect(source.length).toBeLessThan(120)
    expect(source[caret.length - 1]).toBe('1')
  })
})

function loadAlone(name: string) {
  const files = {
    ...localFiles,
    readDirectory: (path: string) => localFiles.readDirectory(path).filter(entry => entry.name === name),
  }
  return loadManifests({ directory: fixtures, types, files })
}

function loadOne(name: string, content: string | Uint8Array) {
  return loadFiles({ [name]: content })
}

function lineOf({ file, line, column, code, message }: Diagnostic): string {
  return `${file}:${line}:${column} ${code} ${message}`
}
