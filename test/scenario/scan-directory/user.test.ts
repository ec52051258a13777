import { execFile } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { createReadHost } from '../../../src/host/read-host.ts'
import { reevePath } from '../../labs/cli-fixture.ts'
import { asUser, nobody, scanFamilies } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'

const run = promisify(execFile)
const host = createReadHost()

/** Only root can become another user. */
test.skipIf(process.geteuid?.() !== 0).concurrent.for(scanFamilies.filter(({ scanner }) => has(scanner)))(
  'a user without privileges runs services under a scanner of their own: $scanner',
  { timeout: 300_000 },
  async ({ userHarness }) => {
    const { type } = userHarness.provider
    const home = mkdtempSync(join(tmpdir(), 'reeve-home-'))
    const own = join(home, 'supervisor')
    const manifests = join(home, 'manifests')
    for (const directory of [own, manifests]) mkdirSync(directory)
    for (const directory of [home, own]) chownSync(directory, nobody, nobody)
    const supervisor = await userHarness.setUp(own)
    const declare = (process: object, whose: object = { owner: 'nobody' }): void => {
      const documents = [
        { kind: 'Supervisor', metadata: { name: 'mine' }, spec: { type, [type]: { ...supervisor.options, ...whose } } },
        { kind: 'Facility', metadata: { name: 'web' }, spec: { supervisor: 'mine', process } },
      ]
      const text = documents.map(document => JSON.stringify({ apiVersion: 'reeve/v1', ...document })).join('\n---\n')
      writeFileSync(join(manifests, 'all.yaml'), text)
    }
    const reeve = async (...args: readonly string[]): Promise<string> => {
      const [program = '', ...words] = asUser([process.execPath, reevePath, ...args])
      return (await run(program, words, { cwd: home, env: { HOME: home, PATH: process.env.PATH } })).stdout
    }
    try {
      declare({ command: ['/bin/sleep', '1000000'], limits: { nofile: 100 } })
      await reeve('apply')
      const [web] = JSON.parse(await reeve('status', '-o', 'json')).facilities
      expect(web).toMatchObject({ name: 'web', supervisor: 'mine', state: 'running', enabled: true })
      expect(host.facts(`/proc/${web.pid}`)?.uid).toBe(nobody)
      expect(await reeve('plan')).toContain('No changes.')
      await reeve('stop', 'web')
      expect(host.process(web.pid)).toBeUndefined()
      await reeve('apply')
      declare({ command: ['/bin/sleep', '1000000'], user: 'daemon' })
      expect(await reeve('plan')).toContain('does not run as root, and so can change neither user nor group')
      declare({ command: ['/bin/sleep', '1000000'] }, { owner: 'daemon' })
      expect(await reeve('plan')).toContain(`user daemon's, and this is user ${nobody}: run reeve as daemon`)
      declare({ command: ['/bin/sleep', '1000000'] }, { owner: 'nobodyatall' })
      expect(await reeve('plan')).toContain("user nobodyatall's, and there is no such user")
      declare({ command: ['/bin/sleep', '1000000'] }, {})
      // Root would run scripts that the user can write.
      const args = [reevePath, 'plan', manifests, '--insecure-permissions']
      const asRoot = await run(process.execPath, args, { cwd: home, env: { HOME: home } })
      expect(asRoot.stdout).toMatch(/supervisor mine is unavailable: .* belongs to user 65534/)
      await reeve('down', '--yes')
      expect(host.readDirectory(String(supervisor.options.definitionDirectory))).toEqual([])
    } finally {
      await supervisor.tearDown()
      rmSync(home, { recursive: true, force: true, maxRetries: 5 })
    }
  },
)
