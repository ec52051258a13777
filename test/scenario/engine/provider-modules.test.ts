import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'

const reeve = join(dirname(createRequire(import.meta.url).resolve('#package')), 'dist/reeve.cjs')

/** Exports that a provider needs, with `probe` for what it loads only on demand. */
function provider(before: string, probe = ''): string {
  return `${before}
export default {
  type: 'mine', capabilities: { process: [] },
  render: () => ({ problems: [] }),
  openObserver: () => ({
    async probe() { ${probe}; return { available: true, version: '1' } },
    list: async () => [], observe: async () => new Map(),
  }),
}
`
}

const require_ = `import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)\n`

/** Text of the provider, the modules it loads, and which of them others can write if not the provider itself. */
const cases: Readonly<Record<string, readonly [text: string, loaded: string, spoilt?: string]>> = {
  'a relative import': [provider(`import './lib.mjs'`), 'lib.mjs'],
  'an import of an import': [provider(`import './inner/first.mjs'`), 'inner/lib.mjs'],
  'the directory of an import': [provider(`import './inner/lib.mjs'`), 'inner/lib.mjs', 'inner'],
  'a package': [provider(`import 'dep'`), 'node_modules/dep/index.mjs'],
  'the package.json of a package': [
    provider(`import 'dep'`),
    'node_modules/dep/index.mjs',
    'node_modules/dep/package.json',
  ],
  'a dynamic import': [provider('', `await import('./lib.mjs')`), 'lib.mjs'],
  'a dynamic import of a composed path': [provider('', `await import(['.', 'lib.mjs'].join('/'))`), 'lib.mjs'],
  'an imported CommonJS module': [provider(`import './lib.cjs'`), 'lib.cjs'],
  'a required CommonJS module': [provider(`${require_}require('./lib.cjs')`), 'lib.cjs'],
  'a module required by a CommonJS module': [provider(`import './first.cjs'`), 'lib.cjs'],
  'a module required on demand': [provider(require_, `require('./lib.cjs')`), 'lib.cjs'],
  'a required ES module': [provider(`${require_}require('./lib.mjs')`), 'lib.mjs'],
  'required JSON': [provider(`${require_}require('./data.json')`), 'data.json'],
  'imported JSON': [provider(`import './data.json' with { type: 'json' }`), 'data.json'],
}

describe.runIf(process.geteuid?.() === 0)('S1: root loads no part of a provider that others can write:', () => {
  test.each(Object.entries(cases))('%s', (_, [text, loaded, spoilt = loaded]) => {
    const directory = mkdtempSync(join(tmpdir(), 'reeve-modules-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const canary = join(directory, 'canary')
    const write = (name: string, content: string): void => {
      mkdirSync(dirname(join(directory, name)), { recursive: true })
      writeFileSync(join(directory, name), content)
    }
    const program = loaded.endsWith('.json')
      ? '{}'
      : loaded.endsWith('.cjs')
        ? `require('node:fs').writeFileSync(${JSON.stringify(canary)}, '')`
        : `import { writeFileSync } from 'node:fs'\nwriteFileSync(${JSON.stringify(canary)}, '')`
    write('mine.mjs', text)
    write('first.cjs', `require('./lib.cjs')`)
    write('inner/first.mjs', `import './lib.mjs'`)
    write('node_modules/dep/package.json', '{ "name": "dep", "exports": "./index.mjs" }')
    write(loaded, program)
    write('manifests/none.yaml', '# none\n')
    write('reeve.yaml', 'apiVersion: reeve/v1\nkind: HostConfiguration\nproviders: [./mine.mjs]\n')
    const list = () =>
      spawnSync(
        process.execPath,
        [reeve, 'supervisors', '--manifests', 'manifests', '--config', 'reeve.yaml', '--state-dir', 'state'],
        { cwd: directory, encoding: 'utf8' },
      )

    const safe = list()
    expect(safe.stdout + safe.stderr).toMatch(/^mine +mine +yes/m)
    expect(existsSync(canary)).toBe(!loaded.endsWith('.json'))
    rmSync(canary, { force: true })

    chmodSync(join(directory, spoilt), spoilt === 'inner' ? 0o777 : 0o666)
    const { stdout, stderr } = list()
    expect(stdout + stderr).toMatch(/an outside provider of the host configuration loads .*chmod go-w/)
    expect(stdout).not.toMatch(/^mine +.*yes/m)
    expect(existsSync(canary)).toBe(false)
  })
})
