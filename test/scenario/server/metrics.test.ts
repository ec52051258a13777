import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { SourceStatus } from '../../../src/core/contracts/source-status.ts'
import type { Condition, FacilityStatus } from '../../../src/core/contracts/status.ts'
import type { Step } from '../../../src/core/plan/step.ts'
import { createClock } from '../../../src/host/clock.ts'
import { createMetrics } from '../../../src/server/metrics.ts'
import { type MetricsServerOptions, serveMetrics } from '../../../src/server/metrics-server.ts'
import type { EndedRollout } from '../../../src/server/source-metrics.ts'

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
  metrics.setStatus({
    facilities: [],
    unwritable: [{ supervisor: 'lab', path: '/full', message: 'cannot write to /full', since }],
  })
  const url = await serve({ metrics, complaints: () => ['cannot write to /full'] })
  expect(await get(`${url}/healthz`)).toEqual([200, 'ok\ncannot write to /full\n'])
  const sample = `reeve_unwritable_since_timestamp_seconds{supervisor="lab",path="/full"} ${Date.parse(since) / 1000}`
  expect((await get(`${url}/metrics`))[1]).toContain(sample)
  metrics.setStatus({ facilities: [] })
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

function makeFacility(name: string, ...conditions: [Condition['type'], Condition['status']][]): FacilityStatus {
  return {
    name,
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
  const gone = ['a', 'b', 'c'].map(name => makeFacility(name, ['Ready', 'True']))
  metrics.setStatus({ facilities: gone, mode: 'report' })
  metrics.setStatus({
    facilities: [
      { ...makeFacility('db', ['Ready', 'True']), restarts: 4, pending: 'to do: restart' },
      { ...makeFacility('web', ['Ready', 'False'], ['Reconciling', 'True'], ['Stalled', 'Unknown']), restarts: 0 },
      makeFacility('worker', ['Ready', 'Unknown']),
    ],
  })
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
      "reeve_facilities{condition="NotReady"} 2",
      "reeve_facilities{condition="Reconciling"} 1",
      "reeve_facilities{condition="Stalled"} 0",
      "reeve_facilities{condition="CrashLooping"} 0",
      "reeve_facilities{condition="Undone"} 0",
      "reeve_facilities{condition="Drifted"} 1",
      "reeve_facility_ready{facility="db"} 1",
      "reeve_facility_ready{facility="web"} 0",
      "reeve_facility_ready{facility="worker"} 0",
      "reeve_facility_drifted{facility="db"} 1",
      "reeve_facility_drifted{facility="web"} 0",
      "reeve_facility_drifted{facility="worker"} 0",
      "reeve_facility_restarts_total{facility="db"} 4",
      "reeve_facility_restarts_total{facility="web"} 0",
      "reeve_drift_corrected_total 2",
      "reeve_manifest_errors 3",
      "reeve_report_mode 0",
      "reeve_source_verification_failures_total 0",
      "reeve_revisions_total{outcome="Healthy"} 0",
      "reeve_revisions_total{outcome="Failed"} 0",
      "reeve_revisions_total{outcome="RolledBack"} 0",
      "reeve_revisions_total{outcome="RollbackFailed"} 0",
      "reeve_revisions_total{outcome="Superseded"} 0",
      "reeve_revision_commit_to_healthy_seconds_sum 0",
      "reeve_revision_commit_to_healthy_seconds_count 0",
      "reeve_rollbacks_total{result="done"} 0",
      "reeve_rollbacks_total{result="failed"} 0",
    ]
  `)
  expect(text).toContain('reeve_pass_duration_seconds_bucket{le="0.3"} 1')
})

const samplesOf = (text: string, name: string): string[] => text.split('\n').filter(line => line.startsWith(name))

test('names of facilities cannot forge samples', async () => {
  const metrics = await createMetrics()
  metrics.setStatus({
    facilities: [makeFacility('a"} 1\nreeve_facilities{condition="Ready"} 9 \\', ['Ready', 'True'])],
  })
  const text = await metrics.text()
  expect(samplesOf(text, 'reeve_facility_ready')).toEqual([
    'reeve_facility_ready{facility="a\\"} 1\\nreeve_facilities{condition=\\"Ready\\"} 9 \\\\"} 1',
  ])
  expect(samplesOf(text, 'reeve_facilities{condition="Ready"}')).toEqual(['reeve_facilities{condition="Ready"} 1'])
})

const source: SourceStatus = {
  url: 'https://example.org/hosts.git',
  wanted: 'branch main',
  fetchedAt: null,
  condition: { reason: 'Unreachable', message: '', since: '2026-01-02T03:04:05.000Z' },
}

function revisionOf(commit: string): NonNullable<SourceStatus['revision']> {
  const facts = { reference: 'refs/heads/main', subject: '', author: '' }
  return { ...facts, commit, committedAt: '2026-01-02T03:00:00.000Z', since: '2026-01-02T03:04:05.000Z' }
}

test('a repository that has never answered has no time of a fetch; one that answers has its time and condition', async () => {
  const metrics = await createMetrics()
  expect(samplesOf(await metrics.text(), 'reeve_source_condition')).toEqual([])
  let status = source
  metrics.followSource(() => status)
  metrics.recordFetch(status)
  expect(samplesOf(await metrics.text(), 'reeve_source_last_fetch_timestamp_seconds{')).toEqual([])
  const condition = { ...source.condition, reason: 'UpToDate' }
  status = { ...source, fetchedAt: '2026-01-02T03:04:05.500Z', condition }
  metrics.recordFetch(status)
  const text = await metrics.text()
  expect(samplesOf(text, 'reeve_source_')).toEqual([
    'reeve_source_fetches_total{reason="Unreachable"} 1',
    'reeve_source_fetches_total{reason="UpToDate"} 1',
    'reeve_source_last_fetch_timestamp_seconds{url="https://example.org/hosts.git"} 1767323045.5',
    'reeve_source_condition{reason="UpToDate"} 1',
    'reeve_source_verification_failures_total 0',
  ])
})

test('a revision that is not trusted counts once, however often it is fetched', async () => {
  const metrics = await createMetrics()
  const refuse = (since: string) =>
    metrics.recordFetch({ ...source, condition: { reason: 'Untrusted', message: '', since } })
  for (const since of ['2026-01-02T03:04:05.000Z', '2026-01-02T03:04:05.000Z', '2026-01-02T04:00:00.000Z'])
    refuse(since)
  const text = await metrics.text()
  expect(text).toContain('reeve_source_fetches_total{reason="Untrusted"} 3\n')
  expect(text).toContain('reeve_source_verification_failures_total 2\n')
})

test('the revision in force, and one that was tried and is not, are told with their outcome', async () => {
  const metrics = await createMetrics()
  const infoAfter = async (status: SourceStatus): Promise<string[]> => {
    metrics.followSource(() => status)
    return samplesOf(await metrics.text(), 'reeve_revision_info')
  }
  const inForce = { ...source, revision: revisionOf('aaa') }
  const facts = { subject: 'Change web', since: '2026-01-02T03:04:05.000Z' }
  expect(await infoAfter(inForce)).toEqual(['reeve_revision_info{commit="aaa",outcome=""} 1'])
  expect(await infoAfter({ ...inForce, rollout: { ...facts, commit: 'aaa', outcome: 'Progressing' } })).toEqual([
    'reeve_revision_info{commit="aaa",outcome="Progressing"} 1',
  ])
  expect(await infoAfter({ ...inForce, rollout: { ...facts, commit: 'bbb', outcome: 'RolledBack' } })).toEqual([
    'reeve_revision_info{commit="aaa",outcome=""} 1',
    'reeve_revision_info{commit="bbb",outcome="RolledBack"} 1',
  ])
})

test('ended roll-outs are counted by outcome, rollbacks by result, and healthy ones with their time since the commit', async () => {
  const metrics = await createMetrics()
  const committedAt = '2026-01-02T03:04:05.000Z'
  const end = (outcome: EndedRollout['outcome'], endedAt = committedAt): void =>
    metrics.recordRollout({ outcome, committedAt, endedAt })
  end('Healthy', '2026-01-02T03:04:47.000Z')
  // A committer whose clock is ahead.
  end('Healthy', '2026-01-02T03:00:00.000Z')
  for (const outcome of ['Failed', 'RolledBack', 'RolledBack', 'RollbackFailed'] as const) end(outcome)
  const text = await metrics.text()
  expect([...samplesOf(text, 'reeve_revisions_total'), ...samplesOf(text, 'reeve_rollbacks_total')]).toEqual([
    'reeve_revisions_total{outcome="Healthy"} 2',
    'reeve_revisions_total{outcome="Failed"} 1',
    'reeve_revisions_total{outcome="RolledBack"} 2',
    'reeve_revisions_total{outcome="RollbackFailed"} 1',
    'reeve_revisions_total{outcome="Superseded"} 0',
    'reeve_rollbacks_total{result="done"} 2',
    'reeve_rollbacks_total{result="failed"} 1',
  ])
  expect(
    samplesOf(text, 'reeve_revision_commit_to_healthy_seconds').filter(line => /_sum|_count|"30"|"60"/.test(line)),
  ).toEqual([
    'reeve_revision_commit_to_healthy_seconds_bucket{le="30"} 1',
    'reeve_revision_commit_to_healthy_seconds_bucket{le="60"} 2',
    'reeve_revision_commit_to_healthy_seconds_sum 42',
    'reeve_revision_commit_to_healthy_seconds_count 2',
  ])
})

test('two sets of metrics are independent', async () => {
  const [one, two] = [await createMetrics(), await createMetrics()]
  one.setManifestErrors(7)
  expect(await two.text()).toContain('reeve_manifest_errors 0')
})
