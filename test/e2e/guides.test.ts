import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseGuide } from '../labs/guide-page.ts'
import { follow, type Reader, run } from '../labs/guide-reader.ts'

/**
 * Follows the pages for users, as a new user in a checkout of their own. Root follows them as `nobody`, so that an existing
 * Reeve of the host isn't touched. The pages for root are followed in a machine of its own, by test/systemd/guides.test.ts.
 */
const pages: readonly (readonly [page: string, commands: number])[] = [
  ['README.md', 9],
  ['docs/container.md', 2],
  ['docs/from-pm2.md', 6],
  ['docs/git.md', 12],
  ['docs/manifests.md', 3],
  ['docs/native.md', 4],
  ['docs/pull-requests.md', 7],
  ['docs/rollouts.md', 9],
]

const repository = resolve(import.meta.dirname, '../..')
const nobody = 65534
const isRoot = process.geteuid?.() === 0
let home: string
let checkout: string

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'reeve-guides-'))
  checkout = join(home, 'reeve')
  mkdirSync(join(checkout, 'node_modules'), { recursive: true })
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: repository, encoding: 'utf8' })
  // With the notes of the setup, so that nothing has to be built: test/scenario/project/setup.test.ts tests the rest of it.
  const names = [...listed.trim().split('\n'), 'dist', 'schemas/compiled', 'node_modules/.reeve-build']
  const present = names.filter(name => existsSync(join(repository, name)))
  execFileSync('cp', ['-a', '--parents', '-t', checkout, ...present], { cwd: repository })
  for (const name of readdirSync(join(repository, 'node_modules'))) {
    if (name.startsWith('.reeve')) continue
    symlinkSync(join(repository, 'node_modules', name), join(checkout, 'node_modules', name))
  }
  mkdirSync(join(home, 'bin'))
  writeFileSync(join(home, 'bin/reeve'), `#!/bin/sh\nexec "${process.execPath}" "${checkout}/dist/reeve.cjs" "$@"\n`)
  chmodSync(join(home, 'bin/reeve'), 0o755)
  if (isRoot) execFileSync('chown', ['-Rh', `${nobody}:${nobody}`, home])
})

afterAll(() => rmSync(home, { recursive: true, force: true }))

test.each(pages)(
  'every command in %s works, and prints what the page shows',
  { timeout: 300_000 },
  async (page, least) => {
    const parts = parseGuide(readFileSync(join(repository, page), 'utf8'))
    expect(parts.filter(({ type }) => type === 'command').length).toBeGreaterThanOrEqual(least)
    const reader = page === 'README.md' ? readerIn(home, checkout) : readerOf(page)
    try {
      await follow(parts, reader)
    } finally {
      await run('reeve down --yes', reader)
    }
  },
)

/** Home directory for the commands. */
function readerOf(page: string): Reader {
  const own = join(home, page.replaceAll('/', '-'))
  mkdirSync(own)
  if (isRoot) chownSync(own, nobody, nobody)
  return readerIn(own, own)
}

function readerIn(place: string, directory: string): Reader {
  // Environment of this process, except for what names the user and the place.
  const { XDG_STATE_HOME: _state, XDG_CONFIG_HOME: _config, NODE_OPTIONS: _options, ...rest } = process.env
  const environment = {
    ...rest,
    PATH: `${home}/bin:${dirname(process.execPath)}:${process.env.PATH ?? ''}`,
    npm_config_cache: join(home, '.npm'),
    npm_config_update_notifier: 'false',
  }
  const as = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--']
  return { home: place, directory, environment, ...(isRoot && { as }) }
}
