import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, systemctl } from '../systemd-lab/engine.ts'
import { makeFile, makeLink, root } from '../systemd-lab/planted-paths.ts'

const app = { uid: 2001, gid: 2001 }
const command = ['/bin/sleep', '1000000']

/** Root's content that the service's user would like to have read. */
const treasure = '/srv/treasure'

/** Units of earlier versions had the service's user write records, who may write anything there. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)(
  'S8: a run record',
  {
    timeout: 120_000,
  },
  () => {
    beforeAll(() => {
      spawnSync('useradd', ['--uid', String(app.uid), '--home-dir', '/nonexistent', 'app'])
      makeFile(treasure, 'for-root-alone\n', 0o600, root)
    })

    test('S9: keeps digests of files that a service has read from other users', async () => {
      await using lab = await createSystemdLab()
      const path = '/etc/short.conf'
      const files = [{ path, content: '1234\n', mode: '0600', owner: 'app', onChange: 'reload' }]
      const reload = { command: ['/bin/true'] }
      lab.declareUnit('web', { process: { command, user: 'app', reload }, files })
      await lab.apply()
      systemctl('reload', 'web')
      const oneshot = { systemd: { unit: { Service: { Type: 'oneshot', RemainAfterExit: null } } } }
      const once = { command: ['/bin/true'], restart: { policy: 'never' } }
      lab.declareUnit('once', { process: once, config: oneshot, files: [{ ...files[0], path: '/etc/once.conf' }] })
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
      expect(existsSync('/run/reeve-completed/once.service')).toBe(true)
      for (const place of ['/run/reeve-runs', '/run/reeve-completed']) {
        for (const entry of readdirSync(place, { withFileTypes: true, recursive: true })) {
          if (!entry.isFile()) continue
          expect([entry.name, statSync(join(entry.parentPath, entry.name)).mode & 0o077]).toEqual([entry.name, 0])
        }
      }
      expect(stepsOf(await lab.plan())).toEqual([])
      for (const name of [path, '/etc/once.conf']) rmSync(name)
    })

    test('replaced by a service’s user is not followed, and hides nothing', async () => {
      await using lab = await createSystemdLab()
      const path = '/etc/web.conf'
      const files = [{ path, content: 'one\n' }]
      lab.declareUnit('web', { process: { command, user: 'app' }, files })
      await lab.apply()
      const [, definition = ''] = readFileSync('/run/reeve-runs/web.service', 'utf8').split(/\s/)
      rmSync('/run/reeve-runs/web.service')
      const record = '/run/reeve-loaded/web.service/loaded'
      mkdirSync(dirname(record), { recursive: true })
      chownSync(dirname(record), app.uid, app.gid)
      const first = `${property('web', 'InvocationID')} ${definition}`
      for (const put of [
        () => makeLink(record, treasure, app),
        () => spawnSync('mkfifo', [record]),
        () => writeFileSync(record, 'x'.repeat(2 ** 21)),
        () => writeFileSync(record, `${first}\nunknown ${treasure}\n`),
        () => writeFileSync(record, `${first}\n${'0'.repeat(64)} ${path}\n`),
      ]) {
        rmSync(record, { force: true })
        put()
        const observed = await lab.observe('web')
        expect(observed.state).toBe('running')
        expect(Object.keys(observed.loaded?.files ?? {})).not.toContain(treasure)
      }
      // The last one has another content: its own restart, and nothing else.
      expect(stepsOf(await lab.plan())).toEqual(['web/restart'])
      await lab.apply()
      expect(stepsOf(await lab.plan())).toEqual([])
      rmSync('/run/reeve-loaded', { recursive: true })
      rmSync(path)
    })

    test('of a reload of a packaged service of another user is written where only root writes', async () => {
      await using lab = await createSystemdLab()
      const unit = '[Service]\nUser=app\nExecStart=/bin/sleep 1000000\nExecReload=/bin/true\n'
      lab.place('packaged.service', unit, '/lib/systemd/system')
      const declareFile = (content: string): void =>
        lab.declareUnit('packaged', {
          config: { systemd: { dropIns: { own: { Service: { Nice: 5 } } } } },
          enabled: 'unmanaged',
          files: [{ path: '/etc/packaged.conf', content, onChange: 'reload' }],
        })
      declareFile('one\n')
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
      const pid = property('packaged', 'MainPID')
      declareFile('two\n')
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
      expect(property('packaged', 'MainPID')).toBe(pid)
      expect(stepsOf(await lab.plan())).toEqual([])
      expect(statSync('/run/reeve-runs').mode & 0o077).toBe(0)
      lab.withdraw('packaged')
      await lab.apply()
      expect(readdirSync('/run/reeve-runs')).not.toContain('packaged.service')
      systemctl('stop', 'packaged')
      for (const path of ['/lib/systemd/system/packaged.service', '/etc/packaged.conf']) rmSync(path, { force: true })
    })
  },
)
