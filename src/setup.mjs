// Installs and builds what is missing or out of date, and says so; runs before start, test and check. It uses Node's
// own modules only, as nothing else may be there yet, and does nothing, quickly, when nothing is to be done.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const installed = join(root, 'node_modules/.package-lock.json')
const locked = join(root, 'package-lock.json')
/** In node_modules, so that a new installation makes a new build. */
const stamp = join(root, 'node_modules/.reeve-build')
const products = ['dist/reeve.cjs', 'dist/supervisor.js', 'schemas/compiled/facility.js', 'schemas/compiled/types.d.ts']

if (needsInstall() || needsBuild()) await alone(bringUpToDate)

function bringUpToDate() {
  // Not `npm ci`: a registry that lacks the optional packages of other platforms makes lock files that it refuses.
  if (needsInstall()) run('installing what package-lock.json lists', 'npm install --no-save --include=dev')
  if (!needsBuild()) return
  const before = fingerprint()
  run('building', 'npm run build')
  writeFileSync(stamp, before)
}

/** Not by time, which tells nothing of what was installed then: another branch, another lock file. */
function needsInstall() {
  if (modified(installed) === undefined) return true
  if (modified(locked) === undefined) return false
  const present = JSON.parse(readFileSync(installed, 'utf8')).packages
  return Object.entries(JSON.parse(readFileSync(locked, 'utf8')).packages).some(
    ([path, wanted]) => path !== '' && !wanted.optional && present[path]?.version !== wanted.version,
  )
}

function needsBuild() {
  if (products.some(product => modified(join(root, product)) === undefined)) return true
  try {
    return readFileSync(stamp, 'utf8') !== fingerprint()
  } catch {
    return true
  }
}

/** Of all that the build reads: changes with every edit, also when a file is removed or an older one is put back. */
function fingerprint() {
  const hash = createHash('sha256')
  const add = path => {
    const stats = statSync(join(root, path))
    hash.update(`${path}\0${stats.isDirectory() ? 'directory' : `${stats.size}:${stats.mtimeMs}`}\n`)
    if (!stats.isDirectory()) return
    for (const name of readdirSync(join(root, path)).sort()) {
      if (name !== 'compiled' && !name.startsWith('.')) add(join(path, name))
    }
  }
  const settings = readdirSync(root).filter(name => /^tsconfig.*\.json$/.test(name))
  for (const name of ['src', 'providers', 'schemas', 'package.json', ...settings.sort()]) add(name)
  return hash.digest('hex')
}

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs
}

function run(what, line) {
  process.stderr.write(`setup: ${what} (${line})\n`)
  const npm = process.env.npm_execpath
  const [command, first] = npm === undefined ? ['npm', []] : [process.execPath, [npm]]
  const quiet = ['--loglevel=error', '--no-audit', '--no-fund', '--no-progress']
  const { status, stdout, error } = spawnSync(command, [...first, ...line.split(' ').slice(1), ...quiet], {
    cwd: root,
    stdio: ['ignore', 'pipe', 2],
    encoding: 'utf8',
  })
  if (status === 0) return
  process.stderr.write(`${stdout ?? ''}setup: ${line} failed${error === undefined ? '' : `: ${error.message}`}\n`)
  process.exit(1)
}

/**
 * Runs `work` while no other setup of this checkout does. The lock is an abstract socket: the kernel lets go of it
 * when its holder ends, however that comes about.
 */
async function alone(work) {
  const { connect, createServer } = await import('node:net')
  const name = `\0reeve-setup-${createHash('sha256').update(root).digest('hex').slice(0, 32)}`
  const acquire = () =>
    new Promise(resolve => {
      const server = createServer(socket => socket.on('error', () => {}))
      server.once('error', error => {
        if (error.code !== 'EADDRINUSE') {
          resolve(server) // no such sockets here: better without a lock than not at all
          return
        }
        process.stderr.write('setup: waiting for another setup of this checkout\n')
        const again = () => resolve(acquire())
        connect(name)
          .on('error', () => {})
          .on('close', again)
          .resume()
      })
      server.listen(name, () => resolve(server))
    })
  const server = await acquire()
  try {
    work()
  } finally {
    server.close()
  }
}
