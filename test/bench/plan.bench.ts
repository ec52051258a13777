import { test } from 'vitest'
import { type CliFixture, openCliFixture } from '../labs/cli-fixture.ts'
import { openBenchReport } from './bench-report.ts'
import { declareMany, plainConfiguration, runningSleeper, stoppedSleeper } from './load-generator.ts'
import { alternate, formatMemory, formatTime } from './spread.ts'
import { findPeakMemory, reeve, timeRun } from './timed-run.ts'

const RUNS = 7
const APPLY_RUNS = 3

/** Ten thousand only as stopped ones: as many running would measure the machine's memory. */
const loads = [
  { count: 100, state: 'running', make: runningSleeper, aim: '' },
  { count: 100, state: 'stopped', make: stoppedSleeper, aim: '' },
  { count: 1_000, state: 'running', make: runningSleeper, aim: '1 s' },
  { count: 1_000, state: 'stopped', make: stoppedSleeper, aim: '1 s' },
  { count: 10_000, state: 'stopped', make: stoppedSleeper, aim: '8 s' },
] as const

test('plan with nothing to do', async () => {
  const report = openBenchReport('plan', 'reeve plan with nothing to do: the whole process', [
    'facilities',
    'each is',
    'runs',
    'best',
    'p50',
    'p99',
    'aim',
    'for each, p50',
    'peak memory',
    'apply again, p50',
  ])
  const fixtures = new Map<(typeof loads)[number], CliFixture>()
  for (const load of loads) fixtures.set(load, await settle(load.count, load.make))
  const found = await alternate(
    RUNS,
    [...fixtures].map(([{ count, state }, fixture]) => ({
      name: `${count} ${state}`,
      measure: () => timeNothing(fixture, 'plan', count),
    })),
  )
  const again = await alternate(
    APPLY_RUNS,
    [...fixtures].map(([{ count, state }, fixture]) => ({
      name: `${count} ${state}`,
      measure: () => timeNothing(fixture, 'apply', count),
    })),
  )
  for (const [{ count, state, aim }, fixture] of fixtures) {
    const spread = found.get(`${count} ${state}`)
    const applied = again.get(`${count} ${state}`)
    if (!spread || !applied) throw new Error('expected samples')
    const peak = await findPeakMemory(reeve(fixture, 'plan'))
    const { best, p50, p99 } = spread
    report.add(
      count,
      state,
      spread.count,
      formatTime(best),
      formatTime(p50),
      formatTime(p99),
      aim,
      formatTime(p50 / count),
      formatMemory(peak),
      formatTime(applied.p50),
    )
  }
  report.print()
})

async function settle(count: number, make: (name: string) => string): Promise<CliFixture> {
  const fixture = openCliFixture()
  fixture.write('reeve.yaml', plainConfiguration)
  declareMany(fixture, count, make)
  await fixture.succeed(['apply'])
  return fixture
}

async function timeNothing(fixture: CliFixture, command: 'plan' | 'apply', count: number): Promise<number> {
  const { duration, output } = await timeRun(reeve(fixture, command))
  if (!output.includes(`No changes. ${count} facilities`)) throw new Error(`expected nothing to do:\n${output}`)
  return duration
}
