import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { reevePath } from '../../labs/cli-fixture.ts'
import { type FreshHost, openFreshHost } from '../../labs/fresh-host.ts'
import { serveBySsh } from '../../labs/git-lab.ts'
import { openReport } from '../../runner/report.ts'
import { has } from '../../runner/requirements.ts'
import { drawSample, sampleOf } from '../../runner/sample.ts'
import { bundleProgram } from '../../tools/bundled-program.ts'

const report = openReport('crash-bootstrap', 'SIGKILL of bootstrap at its effects, and again', ['MOMENT', 'OF', 'DIED'])

test.skipIf(!has('runsvdir') || !has('/usr/sbin/sshd'))(
  'E4: bootstrap killed by SIGKILL at any effect ends as an undisturbed one when run again',
  { timeout: 900_000 },
  async () => {
    using child = await bundleProgram(new URL('../../crash/bootstrap-child.ts', import.meta.url))

    /** Kills it at the moment, runs it again, and checks the end; the number of moments if it survived. */
    async function crashAt(moment: number, of: string): Promise<number> {
      const host = await openFreshHost()
      const { home, lab, files, words } = host
      lab.commit(files)
      // The server accepts the key as soon as it is there.
      await using server = await serveBySsh(lab, { authorized: home.path('deploy-key.pub') })
      const command = words(server.url, '--accept-host-key', server.fingerprint)
      const { stdout, stderr, signal } = spawnSync(
        process.execPath,
        [child.path, reevePath, String(moment), ...command, '--config', 'reeve.yaml'],
        { cwd: home.directory, env: { PATH: process.env.PATH, HOME: home.directory }, encoding: 'utf8' },
      )
      expect(signal, stdout + stderr).toBe(moment === 0 ? null : 'SIGKILL')
      const last = stdout.trim().split('\n').at(-1) ?? ''
      report.add(moment, of, moment === 0 ? 'survived' : last)
      const again = await home.succeed(command)
      expect(again, last).toContain(moment === 0 ? 'Nothing was changed' : 'his host follows the repository')
      await expectEnd(host, server.url)
      expect(await home.succeed(command), last).toContain('Nothing was changed')
      return Number(last)
    }

    async function expectEnd({ home, configuration, written }: FreshHost, url: string): Promise<void> {
      expect(readFileSync(home.path('reeve.yaml'), 'utf8')).toBe(
        `${configuration}source:\n  git:\n    url: ${url}\n    path: hosts/shop\n    auth:\n      sshKey: deploy-key\n      knownHosts: known-hosts\n`,
      )
      expect(written()).toEqual(['deploy-key', 'deploy-key.pub', 'known-hosts', 'state'])
      expect(readFileSync(home.path('known-hosts'), 'utf8').trim().split('\n').length).toBe(1)
      expect(statSync(home.path('deploy-key')).mode & 0o777).toBe(0o600)
      const derived = execFileSync('ssh-keygen', ['-y', '-f', home.path('deploy-key')], { encoding: 'utf8' })
      expect(readFileSync(home.path('deploy-key.pub'), 'utf8')).toBe(derived)
      expect(await home.status('web')).toMatchObject({ state: 'running' })
    }

    const count = await crashAt(0, '')
    expect(count).toBeGreaterThan(40)
    const moments = Array.from({ length: count }, (_, index) => index + 1)
    for (const moment of sampleOf(moments, drawSample(24))) await crashAt(moment, String(count))
  },
)
