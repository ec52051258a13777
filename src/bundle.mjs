// Makes the two programs, dist/reeve.cjs and dist/supervisor.js: each with what it always needs in few files. Finding and
// compiling a hundred small modules took longer than all that `reeve validate` does. Everything that isn't always needed
// stays in files of its own, loaded when it is.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'

const root = fileURLToPath(new URL('..', import.meta.url))
/** Of `dist`, what tsc makes. */
const sources = ['src', 'providers']
const inRoot = path => join(root, path)
/**
 * With what they need themselves: needed by nearly every command, or of so many files that to find them takes longer than to
 * run them. All other packages are loaded from where they are installed.
 */
const bundledPackages = [
  '@homebridge/dbus-native',
  'commander',
  'diff',
  'execa',
  'fastest-levenshtein',
  'p-limit',
  'picocolors',
  'yaml',
]
const isInPackage = path => path?.includes('/node_modules/') ?? false
/** What the compiler puts in for `using`, which Node 20 doesn't have. */
const compilerHelpers = '@oxc-project/runtime/'
/** As ES modules, of which only what is used is kept. The package offers them for browsers, and the same code for Node as CommonJS. */
const yaml = join(dirname(createRequire(import.meta.url).resolve('yaml/package.json')), 'browser/dist/index.js')

const common = {
  cwd: root,
  platform: 'node',
  transform: { target: 'node20.19' },
  resolve: { alias: { yaml } },
  // What some commands load later, and others always.
  checks: { ineffectiveDynamicImport: false },
  external: (id, importer) =>
    /^[^./#\0]/.test(id) &&
    !bundledPackages.some(name => id === name || id.startsWith(`${name}/`)) &&
    !id.startsWith(compilerHelpers) &&
    (isBuiltin(id) || !isInPackage(importer)),
}
// Names stay, for stack traces that say something.
const minify = { mangle: false }

/**
 * What every command that looks at manifests needs, what `apply` needs besides, and what that imports: one file, kept in
 * compiled form; see launcher.cjs.
 */
const entries = [
  'src/cli/main.ts',
  'src/commands/apply.ts',
  'src/commands/plan.ts',
  'src/commands/validate.ts',
  'src/engine/execution/apply.ts',
  'src/engine/refresh/plan-run.ts',
  'src/engine/session/session.ts',
  'src/engine/refresh/validation.ts',
  ...readdirSync(inRoot('providers')).flatMap(name => [
    `providers/${name}/index.ts`,
    `providers/${name}/application.ts`,
  ]),
]
const needed = new Set()
const findNeeded = {
  name: 'find-needed',
  buildEnd() {
    const open = entries.map(inRoot)
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      if (needed.has(id)) continue
      needed.add(id)
      open.push(...(this.getModuleInfo(id)?.importedIds ?? []))
    }
  },
}
for (const name of readdirSync(inRoot('dist')).filter(name => !sources.includes(name))) {
  rmSync(inRoot(`dist/${name}`), { recursive: true })
}
const { output } = await build({
  ...common,
  plugins: [findNeeded],
  input: { program: 'src/cli/main.ts' },
  output: {
    dir: 'dist',
    format: 'cjs',
    // V8 tells one source from another by its length only: no compiled form may be taken for that of another program.
    entryFileNames: '[name]-[hash].cjs',
    chunkFileNames: 'chunks/[name]-[hash].cjs',
    minify,
    codeSplitting: { groups: [{ name: 'program', test: id => needed.has(id) }] },
  },
})
const { fileName } = output.find(({ isEntry }) => isEntry)
// In ASCII, as decoding so much takes milliseconds; and a compiled form can't import, so that launcher.cjs does.
const escapeUnit = unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
const program = readFileSync(inRoot(`dist/${fileName}`), 'utf8')
  .replaceAll(/[^ -~\n]/g, escapeUnit)
  .replaceAll(/\bimport\(/g, 'importModule(')
writeFileSync(inRoot(`dist/${fileName}`), program)
const launcher = readFileSync(inRoot('src/launcher.cjs'), 'utf8').replace('program.cjs', fileName)
writeFileSync(inRoot('dist/reeve.cjs'), launcher, { mode: 0o755 })
await build({
  ...common,
  input: { supervisor: 'providers/process/provider/supervisor-start.ts' },
  output: { dir: 'dist', chunkFileNames: 'chunks/[name]-[hash].js', minify },
})

// Its first run leaves its compiled form behind.
const state = mkdtempSync(join(tmpdir(), 'reeve-build-'))
const options = ['--insecure-permissions', '--state-dir', state]
const { status, stderr } = spawnSync(process.execPath, ['dist/reeve.cjs', 'plan', 'manifests', ...options], {
  cwd: root,
})
rmSync(state, { recursive: true })
if (status !== 0) throw new Error(`reeve plan, as it was built, failed: ${stderr}`)
