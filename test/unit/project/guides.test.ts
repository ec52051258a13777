import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadOwnProviders } from '../../../src/engine/session/provider-loading.ts'
import { loadHostConfiguration } from '../../../src/manifest/host-configuration-file.ts'
import { loadManifests } from '../../../src/manifest/manifest-source.ts'
import { yamlDocuments } from '../../labs/guide-page.ts'
import { deadLinks } from '../../labs/page-links.ts'
import { makeDirectory } from '../../tools/manifest-directory.ts'

const project = join(import.meta.dirname, '../../..')
const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], {
  cwd: project,
  encoding: 'utf8',
})
const pages = listed.split('\n').filter(page => page !== '' && existsSync(join(project, page)))
const guides = pages.filter(page => page === 'README.md' || page.startsWith('docs/'))
const read = (page: string): string => readFileSync(join(project, page), 'utf8')

const providers = await loadOwnProviders()
const types = [...providers.keys()]
const schemaOf = (type: string) => providers.get(type)?.capabilities

test('every link of a page leads to an existing file and heading of the project', () => {
  expect(pages.flatMap(page => deadLinks(project, page).map(link => `${page}: ${link}`))).toEqual([])
})

test('the table of contents lists every page', () => {
  const contents = read('docs/README.md')
  const missing = readdirSync(join(project, 'docs')).filter(
    name => name.endsWith('.md') && name !== 'README.md' && !contents.includes(`(${name})`),
  )
  expect(missing).toEqual([])
})

test.each(guides)('the manifests and host configurations in %s are valid', page => {
  for (const document of yamlDocuments(read(page))) {
    const problems = /^kind: HostConfiguration$/m.test(document) ? readConfiguration(document) : problemsOf(document)
    expect(problems, document).toEqual([])
  }
})

/** Checks a block by itself, with the files beside it that it names, and with its dependencies. */
function problemsOf(document: string): string[] {
  const sources = [...document.matchAll(/\bsource: "?(\.\/[\w./-]+)/g)].map(([, path = '']) => [path, ''] as const)
  const others = /dependsOn: \[(.*)\]/.exec(document)?.[1]?.split(', ') ?? []
  const dependencies = others.map(name => [`${name}.yaml`, sleeper(name)] as const)
  const directory = makeDirectory({ 'manifest.yaml': document, ...Object.fromEntries([...sources, ...dependencies]) })
  return loadManifests({ directory, types, schemaOf, insecurePermissions: true }).diagnostics.map(
    ({ message }) => message,
  )
}

function readConfiguration(document: string): unknown[] {
  const directory = makeDirectory({ 'reeve.yaml': document })
  expect(
    loadHostConfiguration({ file: join(directory, 'reeve.yaml'), env: {}, userId: 0, insecurePermissions: true }),
  ).toBeDefined()
  return []
}

function sleeper(name: string): string {
  return `apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: ${name} }\nspec: { process: { command: [/bin/true] } }\n`
}

test('every message on the troubleshooting page is one that Reeve prints', () => {
  const messages = [...read('docs/troubleshooting.md').matchAll(/^### `(.*)`$/gm)].map(([, message = '']) => message)
  expect(messages.length).toBeGreaterThanOrEqual(20)
  const sources = execFileSync('git', ['grep', '-h', '-e', '', '--', 'src', 'providers'], {
    cwd: project,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  const unknown = messages
    .flatMap(message => message.split('…').map(part => part.trim()))
    .filter(part => !sources.includes(part))
  expect(unknown).toEqual([])
})
