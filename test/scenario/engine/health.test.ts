import { expect, test } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import { findCondition } from '../../../src/core/reconcile/conditions.ts'
import { createDirectControl } from '../../../src/engine/control/direct-control.ts'
import { probeHealth } from '../../../src/engine/health/health-probe.ts'
import { createClock } from '../../../src/host/clock.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import { createEngineLab } from '../../labs/engine-lab.ts'

const never = new AbortController().signal
const base = { interval: 1000, timeout: 5000, failureThreshold: 3, startupTimeout: 1000, onFailure: 'report' } as const
const running = {
  command: ['/bin/true'],
  environment: {},
  environmentFiles: [],
  limits: {},
  restart: { policy: 'always', delay: 1000 },
  stop: { signal: 'TERM', timeout: 1000 },
} as const

function runAs(command: readonly string[], user?: string): Parameters<typeof probeHealth>[0] {
  return { health: { ...base, check: { type: 'exec', command } }, process: { ...running, ...(user ? { user } : {}) } }
}

test.runIf(process.geteuid?.() === 0)(
  'S3: a health command has the rights of the service, not those of Reeve',
  async () => {
    const host = createWriteHost()
    const isNobody = ['/bin/sh', '-c', 'test "$(id -u)" = 65534']
    expect(await probeHealth(runAs(isNobody, 'nobody'), host, createClock(), never)).toEqual({ healthy: true })
    expect(await probeHealth(runAs(isNobody), host, createClock(), never)).toMatchObject({ healthy: false })
    expect(await probeHealth(runAs(isNobody, 'nosuchuser'), host, createClock(), never)).toMatchObject({
      healthy: false,
      message: 'there is no user nosuchuser',
    })
  },
)

test('a health command that fails or hangs makes the service unhealthy, with the reason', async () => {
  const host = createWriteHost()
  expect(await probeHealth(runAs(['/bin/false']), host, createClock(), never)).toEqual({
    healthy: false,
    message: 'the health command exited 1',
  })
  const slow = runAs(['/bin/sleep', '100'])
  const health = slow.health && { ...slow.health, timeout: 100 }
  expect(await probeHealth({ ...slow, ...(health ? { health } : {}) }, host, createClock(), never)).toMatchObject({
    healthy: false,
  })
})

test('E2: status runs health commands through a host that cannot write', async () => {
  await using lab = createEngineLab()
  const health = { exec: { command: ['/bin/true'] } }
  lab.declare('web', { process: { command: ['/bin/sleep', '600'] }, health })
  await lab.apply()
  const session = await lab.open({
    createWriteHost() {
      throw new Error('a look at the status wants to write')
    },
  })
  const { facilities } = await createDirectControl(session).status()
  expect(facilities).toMatchObject([{ name: 'web', health: 'healthy' }])
})

test('status without a controller tells why the health check fails, as one with a controller does', async () => {
  await using lab = createEngineLab()
  const health = { exec: { command: ['/bin/sh', '-c', 'exit 3'] }, startupTimeout: '1ms' }
  lab.declare('web', { process: { command: ['/bin/sleep', '600'] }, health })
  await lab.apply()
  const direct = await createDirectControl(await lab.open()).status('web')
  const message = 'running, but its health check fails: the health command exited 3'
  expect(findCondition(direct.facilities[0]?.conditions ?? [], 'Ready')).toMatchObject({ reason: 'Unhealthy', message })
  const controller = await lab.run()
  await eventually('the controller to say the same', async () => {
    const { conditions = [] } = (await controller.status('web')) ?? {}
    return findCondition(conditions, 'Ready')?.message === message
  })
})
