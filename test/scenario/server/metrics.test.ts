import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { Condition, FacilityStatus } from '../../../src/core/contracts/status.ts'
import type { Step } from '../../../src/core/plan/step.ts'
import { createClock } from '../../../src/host/clock.ts'
import { createMetrics } from '../../../src/server/metrics.ts'
import { type MetricsServerOptions, serveMetrics } from '../../../src/server/metrics-server.ts'

async function serve(options: Partial<MetricsServerOptions> = {}): Promise<string> {
  const server = await serveMetrics({
    listen: { host: '127.0.0.1', port: 0 },
    metrics: await createMetrics(),
    clock: createClock(),
    standstill: () => undefined,
    complaints: () => [],
    isReady: () => true,
    ...options,
  })
  onTestFinished(() => server.close())
  return `http://127.0.0.1:${server.port}`
}

async function get(url: string, method = 'GET'): Promise<[number, string]> {
  const response = await fetch(url, { method })
  return [response.status, await response.text()]
}

test('/healthz stays 200 on a full disk, which no restart would free, and reports it; a metric says since when', async () => {
  const metrics = await createMetrics()
  const since = '2026-01-02T03:04:05.000Z'
  metrics.setUnwritable([{ supervisor: 'lab', path: '/full', message: 'cannot write to /full', since }])
  const url = await serve({ metrics, complaints: () => ['cannot write to /full'] })
  expect(await get(`${url}/healthz`)).toEqual([200, 'ok\ncannot write to /full\n'])
  const sample = `reeve_unwritable_since_timestamp_seconds{supervisor="lab",path="/full"} ${Date.parse(since) / 1000}`
  expect((await get(`${url}/metrics`))[1]).toContain(sample)
  metrics.setUnwritable([])
  expect((await get(`${url}/metrics`))[1]).not.toContain('path="/full"')
})

test('/healthz is 200 until passes have come to a standstill, and then gives the reason', async () => {
  let standstill: string | undefined
  const url = `${await serve({ standstill: () => standstill })}/healthz`
  expect(await get(url)).toEqual([200, 'ok\n'])
  standstill = 'no pass for 91 s'
  expect(await get(url)).toEqual([503, 'no pass for 91 s\n'])
})

test('/readyz is 200 after the first complete pass', async () => {
  let ready = false
  const url = `${await serve({ isReady: () => ready })}/readyz`
  expect(await get(url)).toEqual([503, 'the first pass has not ended yet\n'])
  ready = true
  expect(await get(url)).toEqual([200, 'ready\n'])
  expect(await get(url, 'HEAD')).toEqual([200, ''])
})

test('the server only answers with what it has, and takes no orders', async () => {
  const url = await serve()
  expect((await get(`${url}/`))[0]).toBe(404)
  expect((await get(`${url}/act`, 'POST'))[0]).toBe(405)
})

test('a port of another program is an error that names that program', async () => {
  const other = createServer()
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  const address = other.address()
  const port = typeof address === 'object' && address ? address.port : 0
  await expect(serve({ listen: { host: '127.0.0.1', port } })).rejects.toThrow(
    `cannot listen at 127.0.0.1:${port}: another program does; change \`listen\` in reeve.yaml`,
  )
})

function makeFacility(...conditions: [Condition['type'], Condition['status']][]): FacilityStatus {
  return {
    name: 'web',
    supervisor: 'process',
    service: 'web',
    state: 'running',
    enabled: true,
    pid: null,
    since: null,
    health: 'none',
    conditions: conditions.map(([type, status]) => ({ type, status, reason: 'X', message: '', since: '' })),
  }
}

const step: Step = { id: 'web/start', verb: 'start', reason: 'stopped', needs: [] }

test('/metrics returns what was recorded', async () => {
  const metrics = await createMetrics()
  const url = `${await serve({ metrics })}/metrics`
  metrics.recordPass('done', 250, 1_700_000_000_500)
  metrics.recordPass('failed', 40_000, 1_700_000_099_000)
  metrics.recordDriftCorrected(2)
  metrics.setManifestErrors(3)
  metrics.setFacilities([makeFacility(['Ready', 'True']), makeFacility(['Ready', 'True']), makeFacility()])
  metrics.setFacilities([
    makeFacility(['Ready', 'True']),
    makeFacility(['Ready', 'False'], ['Reconciling', 'True'], ['Stalled', 'Unknown']),
  ])
  const at = { supervisor: 'process', service: 'web' }
  metrics.listener({ type: 'step-started', facility: 'web', step, at })
  metrics.listener({ type: 'step-finished', facility: 'web', step, at, result: 'done', duration: 5 })

  const [status, text] = await get(url)
  expect(status).toBe(200)
  expect(text.split('\n').filter(line => line !== '' && !/^#|_bucket/.test(line))).toMatchInlineSnapshot(`
    [
      "reeve_passes_total{result="done"} 1",
      "reeve_passes_total{result="failed"} 1",
      "reeve_passes_total{result="aborted"} 0",
      "reeve_pass_duration_seconds_sum 40.25",
      "reeve_pass_duration_seconds_count 2",
      "reeve_last_successful_pass_timestamp_seconds 1700000000.5",
      "reeve_steps_total{verb="start",result="done"} 1",
      "reeve_facilities{condition="Ready"} 1",
      "reeve_facilities{condition="NotReady"} 1",
      "reeve_facilities{condition="Reconciling"} 1",
      "reeve_facilities{condition="Stalled"} 0",
      "reeve_facilities{condition="CrashLooping"} 0",
      "reeve_facilities{condition="Undone"} 0",
      "reeve_facilities{condition="Drifted"} 0",
      "reeve_drift_corrected_total 2",
      "reeve_manifest_errors 3",
    ]
  `)
  expect(text).toContain('reeve_pass_duration_seconds_bucket{le="0.3"} 1')
})

test('two sets of metrics are independent', async () => {
  const [one, two] = [await createMetrics(), await createMetrics()]
  one.setManifestErrors(7)
  expect(await two.text()).toContain('reeve_manifest_errors 0')
})
