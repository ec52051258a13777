import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { facilityManifest, longRun, type Spec } from '../labs/engine-lab.ts'
import { createGitLab, type GitLab } from '../labs/git-lab.ts'
import { property, systemctl } from '../systemd-lab/engine.ts'
import { type PlacedPackage, placePackage, type Spoken } from '../systemd-lab/package.ts'

const unit = (spec: Spec): Record<string, string> => ({
  'web.yaml': facilityManifest('web', { supervisor: 'systemd', ...spec }),
})
const good = (mark: number): Record<string, string> => unit({ process: longRun(mark) })
/** Never becomes healthy, and takes a while to be given up. */
const bad = (mark: number): Record<string, string> =>
  unit({ process: longRun(mark), health: { exec: { command: ['/bin/false'] }, startupTimeout: '10s' } })

const places = ['/etc/reeve', '/var/lib/reeve']

describe.skipIf(process.env.REEVE_MACHINE === undefined)('reeve bootstrap', { timeout: 300_000 }, () => {
  let reeve: PlacedPackage['reeve']
  let installed: PlacedPackage
  let lab: GitLab

  beforeEach(() => {
    installed = placePackage('/opt/reeve')
    reeve = installed.reeve
    lab = createGitLab()
  })
  afterEach(async () => {
    systemctl('stop', 'reeve')
    expect(await reeve(['uninstall', '--yes'])).toMatchObject({ exitCode: 0 })
    expect(await reeve(['down', '--yes'])).toMatchObject({ exitCode: 0 })
    for (const path of places) rmSync(path, { recursive: true, force: true })
    installed.remove()
    lab[Symbol.dispose]()
  })

  function configure(minHealthyTime: string): void {
    mkdirSync('/etc/reeve')
    writeFileSync(
      '/etc/reeve/reeve.yaml',
      `apiVersion: reeve/v1\nkind: HostConfiguration\nrollout: { minHealthyTime: ${minHealthyTime} }\n`,
    )
  }
  async function succeed(...args: string[]): Promise<string> {
    const spoken = await reeve(args)
    expect(spoken, spoken.stdout + spoken.stderr).toMatchObject({ exitCode: 0 })
    return spoken.stdout
  }
  /** Pushes, and waits for the outcome. */
  function push(files: Record<string, string>): Promise<Spoken> {
    lab.commit(files)
    return reeve(['sync', '--wait'])
  }
  async function outcome(): Promise<string> {
    const { stdout } = await reeve(['status', '-o', 'json'])
    // While another controller starts, it may not answer.
    return stdout === '' ? '' : (JSON.parse(stdout).source?.rollout?.outcome ?? '')
  }
  const seconds = (): string => property('web', 'ExecStart').replace(/^.*argv\[\]=(.*?) ;.*$/, '$1')

  test('installs the controller on a fresh host, which follows the repository; again, it changes nothing', async () => {
    const commit = lab.commit(good(1))
    expect(places.filter(existsSync)).toEqual([])
    const first = await succeed('bootstrap', lab.upstream)
    expect(first).toContain('This host follows the repository.')
    expect(first).toMatch(/^Outcome +healthy since /m)
    expect([property('reeve', 'ActiveState'), systemctl('is-enabled', 'reeve')]).toEqual(['active', 'enabled'])
    expect([property('web', 'ActiveState'), seconds()]).toEqual(['active', '/bin/sleep 1000001'])
    expect(readFileSync('/etc/systemd/system/web.service', 'utf8')).toContain(commit.slice(0, 12))

    const pids = (): string[] => ['reeve', 'web'].map(name => property(name, 'MainPID'))
    const before = pids()
    expect(await succeed('bootstrap', lab.upstream)).toContain(
      'Nothing was changed: this host follows the repository already.',
    )
    expect(pids()).toEqual(before)
  })

  test('leads to a host on which sync --wait tells a bad revision from the one that mends it', async () => {
    configure('1s')
    lab.commit(good(1))
    await succeed('bootstrap', lab.upstream)
    const broken = await push(bad(2))
    expect(broken, broken.stderr).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(': rolled back since') })
    expect([property('web', 'ActiveState'), seconds()]).toEqual(['active', '/bin/sleep 1000001'])
    const invalid = await push({ 'web.yaml': 'kind: Nothing\n' })
    expect(invalid, invalid.stderr).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(': failed since') })
    const mended = await push(good(3))
    expect(mended, mended.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('healthy since') })
    expect([property('web', 'ActiveState'), seconds()]).toEqual(['active', '/bin/sleep 1000003'])
  })

  test.each([
    ['good', good, 'Healthy', '/bin/sleep 1000002'],
    ['bad', bad, 'RolledBack', '/bin/sleep 1000001'],
  ] as const)(
    'E4, E22: a controller that is killed while it rolls out a %s revision ends it all the same',
    async (_what, next, end, command) => {
      configure('10s')
      lab.commit(good(1))
      await succeed('bootstrap', lab.upstream)
      lab.commit(next(2))
      await succeed('sync')
      await eventually('it to be under way', async () => (await outcome()) === 'Progressing')
      const controller = property('reeve', 'MainPID')
      process.kill(Number(controller), 'SIGKILL')
      await eventually('another controller', () => !['0', controller].includes(property('reeve', 'MainPID')))
      await eventually('its end', async () => (await outcome()) === end, 120_000)
      expect([property('web', 'ActiveState'), seconds()]).toEqual(['active', command])
      expect(await succeed('plan')).toMatch(/^No changes\. /)
    },
  )
})
