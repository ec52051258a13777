import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Effect } from '../../src/host/effects.ts'
import { createWriteHost } from '../../src/host/write-host.ts'
import { longRun } from '../engine-lab.ts'
import { createSystemdLab, property, systemctl } from '../systemd-lab/engine.ts'

/** What `systemd-analyze verify` says of units, before they take the place of what is there. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('verification', () => {
  test('a misspelt key is said before the unit is written', async () => {
    await using lab = await createSystemdLab()
    const config = { systemd: { unit: { Service: { MemoryMaxx: '1G' } } } }
    lab.declareUnit('web', { process: longRun(), config })
    const { failed } = await lab.apply()
    expect(failed).toEqual([
      { facility: 'web', message: expect.stringMatching(/web\.service:\d+: Unknown key 'MemoryMaxx'/) },
    ])
    expect(existsSync('/etc/systemd/system/web.service')).toBe(false)
    expect(existsSync('/run/reeve-check')).toBe(false)
  })

  test('advice on what systemd takes is no fault, and hides none', async () => {
    await using lab = await createSystemdLab()
    const declare = (more: object): void => {
      const service = { KillMode: 'none', StandardOutput: 'syslog', MemoryLimit: '1G', ...more }
      const config = { systemd: { unit: { Service: service } } }
      lab.declareUnit('web', { process: { ...longRun(), user: 'nobody' }, config })
    }
    declare({ LimitNOFILE: 'many' })
    const message = expect.stringMatching(/: web\.service:\d+: Failed to parse resource value[^;]*$/)
    expect((await lab.apply()).failed).toEqual([{ facility: 'web', message }])
    declare({})
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    const pid = Number(property('web', 'MainPID'))
    systemctl('stop', 'web')
    process.kill(pid, 'SIGKILL') // KillMode=none
  })

  test('what is put back as it was verified is not verified again', async () => {
    await using lab = await createSystemdLab()
    let count = 0
    const onEffect = ({ target }: Effect, phase: string): void => {
      if (phase === 'before' && target.includes('systemd-analyze')) count += 1
    }
    const apply = async () =>
      lab.apply({ session: await lab.open({ createWriteHost: options => createWriteHost({ ...options, onEffect }) }) })
    lab.declareUnit('web', { process: { command: ['/bin/sleep', '1000333'] } })
    await apply()
    rmSync('/etc/systemd/system/web.service')
    await apply()
    expect([existsSync('/etc/systemd/system/web.service'), count]).toEqual([true, 1])
    lab.declareUnit('web', { process: { command: ['/bin/sleep', '1000334'] } })
    await apply()
    expect(count).toBe(2)
  })

  test('what a unit requires, and is not there, is said before it is written', async () => {
    await using lab = await createSystemdLab()
    const config = { systemd: { unit: { Unit: { Requires: 'nowhere.service' } } } }
    lab.declareUnit('web', { process: longRun(), config })
    lab.declareUnit('other', { process: longRun() })
    const { failed } = await lab.apply()
    expect(failed).toEqual([{ facility: 'web', message: expect.stringMatching(/nowhere\.service not found/) }])
    expect(existsSync('/etc/systemd/system/web.service')).toBe(false)
    expect(property('other', 'ActiveState')).toBe('active')
  })

  test('a systemd-analyze from before 250 reads units as it can', async () => {
    await using lab = await createSystemdLab()
    writeFileSync(older, olderScript, { mode: 0o755 })
    try {
      lab.declareUnit('web', { process: longRun(), config: { systemd: { unit: { Service: { MemoryMaxx: '1G' } } } } })
      const message = expect.stringMatching(/Unknown key 'MemoryMaxx'/)
      expect((await lab.apply()).failed).toEqual([{ facility: 'web', message }])
      lab.declareUnit('web', { process: longRun() })
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    } finally {
      rmSync(older)
    }
  })
})

const older = '/usr/local/bin/systemd-analyze'

/** Knows no such option, as getopt(3) says it. */
const olderScript = `#!/bin/sh
for word; do
  case $word in
    --recursive-errors=*) echo "systemd-analyze: unrecognized option '$word'" >&2; exit 1 ;;
  esac
done
exec /usr/bin/systemd-analyze "$@"
`
