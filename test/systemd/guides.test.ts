import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { parseGuide } from '../labs/guide-page.ts'
import { follow, type Reader, run } from '../labs/guide-reader.ts'
import { type PlacedPackage, placePackage } from '../systemd-lab/package.ts'

/** Pages that root follows. */
const pages = ['getting-started', 'from-systemd', 'security', 'operations']

/** Files that the pages have readers write, besides what `reeve down` removes. */
const written = ['/etc/reeve', '/srv/hello', '/srv/manifests', '/opt/web', '/etc/web', '/var/lib/reeve']

const reader: Reader = {
  home: '/root',
  directory: '/root',
  environment: { PATH: process.env.PATH ?? '' },
  // test/e2e/package.test.ts packs it, and runs the packed program.
  done: ['npm pack', 'sudo npm install --global ./reeve-0.1.0.tgz'],
}

describe.skipIf(process.env.REEVE_MACHINE === undefined)('a guide, followed by root', () => {
  let installed: PlacedPackage

  beforeAll(() => {
    installed = placePackage('/opt/reeve')
    script('reeve', `exec "${process.execPath}" "${installed.script}" "$@"`)
    script('sudo', 'exec "$@"')
    const fetching = 'fetch(process.argv.at(-1)).then(async answer => process.stdout.write(await answer.text()))'
    script('curl', `exec "${process.execPath}" -e '${fetching}' -- "$@"`)
    if (!existsSync('/usr/bin/node')) symlinkSync(process.execPath, '/usr/bin/node')
  })
  afterAll(() => installed.remove())
  afterEach(async () => {
    await run('reeve uninstall --yes && reeve down --yes', reader)
    for (const path of written) rmSync(path, { recursive: true, force: true })
    await run('userdel web', reader)
  })

  test.each(pages)(
    'docs/%s.md: every command works, and prints what the page shows',
    { timeout: 180_000 },
    async page => {
      const parts = parseGuide(readFileSync(join(import.meta.dirname, `../../docs/${page}.md`), 'utf8'))
      expect(parts.filter(({ type }) => type === 'command').length).toBeGreaterThan(2)
      await follow(parts, reader)
    },
  )
})

/** Programs that the machine lacks, under their usual names. */
function script(name: string, text: string): void {
  mkdirSync('/usr/local/bin', { recursive: true })
  writeFileSync(`/usr/local/bin/${name}`, `#!/bin/sh\n${text}\n`)
  chmodSync(`/usr/local/bin/${name}`, 0o755)
}
