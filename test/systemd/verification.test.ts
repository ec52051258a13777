import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { validate } from '../../src/engine/refresh/validation.ts'
import { longRun, planOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, queryDirectories, systemctl } from '../systemd-lab/engine.ts'

/** Complaints of `systemd-analyze verify` about units before they are put in place. */
describe.skipIf(process.env.REEVE_MACHINE === undefined)('verification', () => {
  test('reports a misspelt key before the unit is written', async () => {
    await using lab = await createSystemdLab()
    const config = { systemd: { unit: { Service: { MemoryMaxx: '1G' } } } }
    lab.declareUnit('web', { process: longRun(), config })
    const message = expect.stringMatching(/web\.service:\d+: Unknown key 'MemoryMaxx'/)
    const { diagnostics } = await validate(await lab.open(), { onHost: true })
    expect(diagnostics).toMatchObject([{ severity: 'warning', code: 'cannot-start', message }])
    expect((await validate(await lab.open())).diagnostics).toEqual([])
    expect(planOf(await lab.plan(), 'web')).toMatchObject({ steps: [], blocked: message })
    const { plan, stepsDone } = await lab.apply()
    expect([planOf(plan, 'web')?.blocked, stepsDone]).toEqual([message, 0])
    expect([existsSync('/etc/systemd/system/web.service'), queryDirectories()]).toEqual([false, []])
  })

  test('leaves a running unit alone until the new one is corrected, under a controller too', async () => {
    await using lab = await createSystemdLab()
    const declare = (service: object): void =>
      lab.declareUnit('web', { process: longRun(), config: { systemd: { unit: { Service: service } } } })
    declare({ Nice: '1' })
    const controller = await lab.run()
    const { pid } = await controller.ready('web')
    declare({ Nice: '1', MemoryMaxx: '1G' })
    await eventually('it to be blocked', async () => {
      const status = await controller.status('web')
      return (
        status?.conditions.some(({ reason, message }) => reason === 'Blocked' && message.includes('MemoryMaxx')) ===
        true
      )
    })
    expect(property('web', 'MainPID')).toBe(String(pid))
    const begun = controller.steps().length
    declare({ Nice: '2' })
    await eventually('the change', async () => property('web', 'Nice') === '2')
    await controller.ready('web')
    expect(controller.steps().slice(begun)).toEqual(['web/install', 'web/restart'])
  })

  test('takes advice on accepted settings for no fault, and hides no fault because of it', async () => {
    await using lab = await createSystemdLab()
    const declare = (more: object): void => {
      const service = { KillMode: 'none', StandardOutput: 'syslog', MemoryLimit: '1G', ...more }
      const config = { systemd: { unit: { Service: service } } }
      lab.declareUnit('web', { process: { ...longRun(), user: 'nobody' }, config })
    }
    declare({ LimitNOFILE: 'many' })
    expect(planOf((await lab.apply()).plan, 'web')?.blocked).toMatch(
      /: web\.service:\d+: Failed to parse resource value[^;]*$/,
    )
    declare({})
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    const pid = Number(property('web', 'MainPID'))
    systemctl('stop', 'web')
    process.kill(pid, 'SIGKILL') // KillMode=none
  })

  test('is not repeated for a unit that is in place or was verified once', async () => {
    await using lab = await createSystemdLab()
    writeFileSync(own, countingScript, { mode: 0o755 })
    const count = (): number => (existsSync('/tmp/verified') ? readFileSync('/tmp/verified', 'utf8').length : 0)
    try {
      lab.declareUnit('web', { process: { command: ['/bin/sleep', '1000333'] } })
      await lab.apply()
      rmSync('/etc/systemd/system/web.service')
      await lab.apply()
      expect([existsSync('/etc/systemd/system/web.service'), count()]).toEqual([true, 1])
      await lab.plan()
      expect(count()).toBe(1)
      lab.declareUnit('web', { process: { command: ['/bin/sleep', '1000334'] } })
      await lab.plan()
      expect(count()).toBe(2)
      await lab.apply()
      expect(count()).toBe(2)
    } finally {
      rmSync(own)
    }
  })

  test('reports a missing required unit before the write', async () => {
    await using lab = await createSystemdLab()
    const config = { systemd: { unit: { Unit: { Requires: 'nowhere.service' } } } }
    lab.declareUnit('web', { process: longRun(), config })
    lab.declareUnit('other', { process: longRun() })
    const { plan } = await lab.apply()
    expect(planOf(plan, 'web')?.blocked).toMatch(/nowhere\.service not found/)
    expect(existsSync('/etc/systemd/system/web.service')).toBe(false)
    expect(property('other', 'ActiveState')).toBe('active')
    // It exists by now.
    lab.place('nowhere.service', '[Service]\nExecStart=/bin/sleep 1000000\n')
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(property('web', 'ActiveState')).toBe('active')
    systemctl('stop', 'nowhere')
  })

  test('works with a systemd-analyze before version 250 as far as possible', async () => {
    await using lab = await createSystemdLab()
    writeFileSync(own, olderScript, { mode: 0o755 })
    try {
      lab.declareUnit('web', { process: longRun(), config: { systemd: { unit: { Service: { MemoryMaxx: '1G' } } } } })
      expect(planOf((await lab.apply()).plan, 'web')?.blocked).toMatch(/Unknown key 'MemoryMaxx'/)
      lab.declareUnit('web', { process: longRun() })
      expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    } finally {
      rmSync(own)
    }
  })
})

const own = '/usr/local/bin/systemd-analyze'

/** Knows no such option, with the message of getopt(3). */
const olderScript = `#!/bin/sh
for word; do
  case $word in
    --recursive-errors=*) echo "systemd-analyze: unrecognized option '$word'" >&2; exit 1 ;;
  esac
done
exec /usr/bin/systemd-analyze "$@"
`

const countingScript = `#!/bin/sh
printf x >>/tmp/verified
exec /usr/bin/systemd-analyze "$@"
`
