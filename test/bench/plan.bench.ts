import { test } from 'vitest'
import { type Household, openHousehold } from '../e2e/household.ts'
import { openBenchReport } from './bench-report.ts'
import { declareCrowd, plainConfiguration, runningSleeper, stoppedSleeper } from './crowd.ts'
import { alternate, formatMemory, formatTime } from './spread.ts'
import { findPeakMemory, reeve, timeRun } from './timed-run.ts'

const RUNS = 7
const APPLY_RUNS = 3

/** Ten thousand are stopped ones only: as many running would measure the machine's memory. */
const crowds = [
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
  const households = new Map<(typeof crowds)[number], Household>()
  for (const crowd of crowds) households.set(crowd, await settle(crowd.count, crowd.make))
  const found = await alternate(
    RUNS,
    [...households].map(([{ count, state }, household]) => ({
      name: `${count} ${state}`,
      measure: () => timeNothing(household, 'plan', count),
    })),
  )
  const again = await alternate(
    APPLY_RUNS,
    [...households].map(([{ count, state }, household]) => ({
      name: `${count} ${state}`,
      measure: () => timeNothing(household, 'apply', count),
    })),
  )
  for (const [{ count, state, aim }, household] of households) {
    const spread = found.get(`${count} ${state}`)
    const applied = again.get(`${count} ${state}`)
    if (!spread || !applied) throw new Error('expected samples')
    const peak = await findPeakMemory(reeve(household, 'plan'))
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

async function settle(count: number, make: (name: string) => string): Promise<Household> {
  const household = openHousehold()
  household.write('reeve.yaml', plainConfiguration)
  declareCrowd(household, count, make)
  await household.succeed(['apply'])
  return household
}

async function timeNothing(household: Household, command: 'plan' | 'apply', count: number): Promise<number> {
  const { duration, output } = await timeRun(reeve(household, command))
  if (!output.includes(`No changes. ${count} facilities`)) throw new Error(`expected nothing to do:\n${output}`)
  return duration
}
