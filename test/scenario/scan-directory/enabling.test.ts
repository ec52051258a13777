import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { withLab } from '../../../src/conformance/lab.ts'
import { createS6Harness } from '../../labs/scan-lab.ts'
import { has } from '../../runner/requirements.ts'

/** Supervisors that check a second late whether their service is disabled, as on a busy host. */
const slowScanner = [
  ...['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-P', 'down', '-e', 'inject=access:delay_enter=1000000'],
  's6-svscan',
]

test.skipIf(!has('s6-svscan') || !has('strace'))(
  'under s6, a service to be enabled and stopped is not started, though its supervisor listens before it checks',
  async () => {
    await withLab(createS6Harness(slowScanner), async lab => {
      const ran = join(lab.directory, 'ran')
      const process = { command: ['/bin/sh', '-c', `: > ${ran}; exec sleep 1000000`] }
      lab.declare({ web: { process, enabled: true, state: 'stopped' } })
      await lab.converge()
      await eventually('its supervisor to have begun', async () => (await lab.observe('web')).state !== 'unknown')
      expect(await lab.observe('web')).toMatchObject({ state: 'stopped', enabled: true, supervised: true })
      expect(existsSync(ran)).toBe(false)
      await lab.control.act('start', 'web')
      await eventually('it to have run', () => existsSync(ran))
    })
  },
)
