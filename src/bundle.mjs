// Makes dist/reeve.js and dist/supervisor.js: the two programs, each with what it always needs in few files. Finding and
// compiling a hundred small modules took longer than all that `reeve validate` does. Everything that isn't always needed
// stays in files of its own, loaded when it is.
import { chmodSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'

const root = fileURLToPath(new URL('..', import.meta.url))
const chunks = join(root, 'dist/chunks')
/** Small, and needed by nearly every command. All other packages are loaded from where they are installed. */
const bundledPackages = ['commander', 'diff', 'fastest-levenshtein', 'p-limit', 'picocolors', 'yaml', 'yocto-queue']
/** What the compiler puts in for `using`, which Node 20 doesn't have. */
const compilerHelpers = '@oxc-project/runtime/'
/** As ES modules, of which only what is used is kept. The package offers them for browsers, and the same code for Node as CommonJS. */
const yaml = join(dirname(createRequire(import.meta.url).resolve('yaml/package.json')), 'browser/dist/index.js')

rmSync(chunks, { recursive: true, force: true })
await build({
  cwd: root,
  input: { reeve: 'src/cli/main.ts', supervisor: 'providers/process/supervisor.ts' },
  platform: 'node',
  transform: { target: 'node20.19' },
  resolve: { alias: { yaml } },
  external: id => /^[^./#\0]/.test(id) && !bundledPackages.includes(id) && !id.startsWith(compilerHelpers),
  output: {
    dir: 'dist',
    chunkFileNames: 'chunks/[name]-[hash].js',
    // Names stay, for stack traces that say something.
    minify: { mangle: false },
    // What is needed together in one file: each file costs about a millisecond.
    codeSplitting: {
      groups: [
        {
          name: 'start',
          test: /src\/core\/reeve-error|src\/host\/clock|src\/cli\/(screen|logger|context|error-text)|node_modules\/picocolors/,
          priority: 2,
        },
        { name: 'yaml', test: /node_modules\/yaml\/|schemas\/compiled\//, priority: 1 },
        { name: 'common', minShareCount: 6 },
      ],
    },
  },
})
chmodSync(join(root, 'dist/reeve.js'), 0o755)
