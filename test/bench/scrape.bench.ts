import { expect, test } from 'vitest'
import type { FacilityStatus } from '../../src/core/contracts/status.ts'
import { createMetrics } from '../../src/server/metrics.ts'
import { openBenchReport } from './bench-report.ts'
import { formatTime, spreadOf } from './spread.ts'

const RUNS = 30

function facilityOf(index: number): FacilityStatus {
  const name = `facility-${String(index).padStart(5, '0')}`
  return {
    ...{ name, supervisor: 'systemd', service: name, state: 'running', enabled: true, pid: index, since: null },
    ...{ health: 'none', restarts: index % 7 },
    conditions: [{ type: 'Ready', status: 'True', reason: 'Running', message: 'running', since: '' }],
  }
}

test('a scrape of the metrics of many facilities', async () => {
  const report = openBenchReport(
    'scrape',
    'A scrape after a pass, in processor time. Aim: 10,000 facilities under 200 ms',
    ['facilities', 'bytes', 'best', 'p50', 'p99'],
  )
  for (const count of [100, 1_000, 10_000]) {
    const metrics = await createMetrics()
    const facilities = Array.from({ length: count }, (_, index) => facilityOf(index))
    const used: number[] = []
    let bytes = 0
    for (let run = 0; run < RUNS; run += 1) {
      const before = process.cpuUsage()
      metrics.setStatus({ facilities })
      bytes = (await metrics.text()).length
      const { user, system } = process.cpuUsage(before)
      used.push((user + system) / 1_000)
    }
    const { best, p50, p99 } = spreadOf(used)
    report.add(count, bytes, formatTime(best), formatTime(p50), formatTime(p99))
    if (count === 10_000) expect(p50).toBeLessThan(200)
  }
  report.print()
})
