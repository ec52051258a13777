import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import type { Effect } from '../../src/host/effects.ts'
import { createWriteHost } from '../../src/host/write-host.ts'
import { longRun } from '../labs/engine-lab.ts'
import { createSystemdLab, property, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'

const unit = (name: string): string => `/etc/systemd/system/${name}.service`

function setMode(lab: SystemdLab, mode: 'reconcile' | 'report'): void {
  const configuration = `apiVersion: reeve/v1\nkind: HostConfiguration\ndefaultSupervisor: lab\nresync: 1s\nmode: ${mode}\n`
  writeFileSync(lab.path('reeve.yaml'), configuration)
}

describe.skipIf(process.env.REEVE_MACHINE === undefined)('a host in report mode', { timeout: 120_000 }, () => {
  test('has its units observed: no call to systemd, and no file, until it is reconciled', async () => {
    await using lab = await createSystemdLab()
    setMode(lab, 'reconcile')
    for (const name of ['stopped', 'edited', 'gone']) lab.declareUnit(name, { process: longRun() })
    const files = [{ path: '/etc/restarted.conf', content: 'x\n' }]
    lab.declareUnit('restarted', { process: longRun(), files })
    expect((await lab.apply()).notReady).toEqual([])
    setMode(lab, 'report')
    systemctl('stop', 'stopped')
    systemctl('disable', 'stopped')
    appendFileSync(unit('edited'), '# edited\n')
    lab.withdraw('gone')
    lab.declareUnit('fresh', { process: longRun() })
    // A controller that reconciles notes what this run has read.
    systemctl('restart', 'restarted')
    const pids = (): string[] => ['edited', 'gone', 'restarted'].map(name => property(name, 'MainPID'))
    const before = pids()

    const effects: Effect[] = []
    const onEffect = (effect: Effect): void => {
      if (!effect.target.startsWith(lab.stateDirectory)) effects.push(effect)
    }
    const controller = await lab.run({ createWriteHost: options => createWriteHost({ ...options, onEffect }) })
    const pending = async (): Promise<Record<string, string>> => {
      const { facilities } = await controller.control.status()
      return Object.fromEntries(facilities.map(status => [status.name, status.pending ?? '']))
    }
    await eventually('all to be told', async () => Boolean((await pending()).gone))
    expect(await pending()).toEqual({
      edited: 'to do: install',
      fresh: 'to do: install, enable, start',
      gone: 'to do: stop, remove',
      restarted: '',
      stopped: 'to do: enable, start',
    })
    const late = Date.now() + 3_000
    await eventually('a later pass', async () => {
      const { lastPass } = (await controller.control.status()).controller ?? {}
      return Date.parse(lastPass ?? '') > late
    })
    await controller.stop()
    expect(effects).toEqual([])
    expect(pids()).toEqual(before)
    expect(property('stopped', 'ActiveState')).toBe('inactive')
    expect(property('fresh', 'LoadState')).toBe('not-found')
    expect(readFileSync(unit('edited'), 'utf8')).toContain('# edited')

    setMode(lab, 'reconcile')
    const next = await lab.run()
    for (const name of ['stopped', 'edited', 'fresh', 'restarted']) await next.ready(name)
    await eventually('the undeclared one to be removed', () => property('gone', 'LoadState') === 'not-found')
    expect(readFileSync(unit('edited'), 'utf8')).not.toContain('# edited')
  })
})
