import { test } from 'vitest'
import { type Household, openHousehold } from '../e2e/household.ts'
import { openBenchReport } from './bench-report.ts'
import { declareCrowd, plainConfiguration, runningSleeper, stoppedSleeper } from './crowd.ts'
import { alternate, formatMemory, formatTime } from './spread.ts'
import { findPeakMemory, reeve, timeRun } from './timed-run.ts'

const RUNS = 7

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
  ])
  const households = new Map<(typeof crowds)[number], Household>()
  for (const crowd of crowds) households.set(crowd, await settle(crowd.count, crowd.make))
  const found = await alternate(
    RUNS,
    [...households].map(([{ count, state }, household]) => ({
      name: `${count} ${state}`,
      measure: () => timePlan(household, count),
    })),
  )
  for (const [{ count, state, aim }, household] of households) {
    const spread = found.get(`${count} ${state}`)
    if (!spread) throw new Error('expected samples')
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

async function timePlan(household: Household, count: number): Promise<number> {
  const { duration, output } = await timeRun(reeve(household, 'plan'))
  if (!output.startsWith(`No changes. ${count} facilities`)) throw new Error(`expected nothing to do:\n${output}`)
  return duration
}
