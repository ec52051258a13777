import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { openBenchReport } from './bench-report.ts'
import { formatTime, spreadOf } from './spread.ts'
import type { UnitContender } from './unit-contender.ts'

/** Time in ms after a removal until systemd's work for it is over. */
const REST = 2_000

/** Contenders, in turn, so that other load on the machine affects all of them alike. */
export interface Match {
  /** The reference comes first. */
  readonly contenders: readonly UnitContender[]
  readonly count: number
  readonly rounds: number
}

type Times = readonly [string, string, string, string, string, string, string, string]
type Row = readonly [string, number, number, ...Times]

interface Samples {
  readonly running: number[]
  readonly returned: number[]
  readonly again: number[]
  readonly plan: number[]
  readonly changed: number[]
  readonly removed: number[]
}

export async function compareBatches(name: string, title: string, matches: readonly Match[]): Promise<void> {
  const report = openBenchReport(name, title, [
    'who',
    'services',
    'runs',
    'from nothing until all run, p50',
    'of shell',
    'until it has returned, p50',
    'of shell',
    'nothing to do, p50',
    'plan, p50',
    'one changed, p50',
    'all removed, p50',
  ])
  for (const match of matches) for (const row of await play(match)) report.add(...row)
  report.print()
}

async function play({ contenders, count, rounds }: Match): Promise<Row[]> {
  const samples = new Map<UnitContender, Samples>()
  for (const contender of contenders) {
    const lack = contender.prepare()
    if (lack === undefined)
      samples.set(contender, { running: [], returned: [], again: [], plan: [], changed: [], removed: [] })
    else console.warn(`${contender.name} was left out: ${lack}`)
  }
  for (let round = 1; round <= rounds; round += 1) {
    for (const [contender, own] of samples) await compete(contender, count, own)
  }
  const base = [...samples.values()][0]
  return [...samples].map(([{ name }, own]): Row => {
    const ratio = (found: readonly number[], to: readonly number[] = []): string =>
      `${(spreadOf(found).p50 / spreadOf(to).p50).toFixed(2)} ×`
    return [
      name,
      count,
      own.running.length,
      p50(own.running),
      ratio(own.running, base?.running),
      p50(own.returned),
      ratio(own.returned, base?.returned),
      p50(own.again),
      own.plan.length > 0 ? p50(own.plan) : '',
      p50(own.changed),
      p50(own.removed),
    ]
  })
}

async function compete(contender: UnitContender, count: number, samples: Samples): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `s${String(index).padStart(5, '0')}`)
  const field = contender.open(names)
  await sleep(REST)
  const began = process.hrtime.bigint() / 1_000n
  samples.returned.push(await field.bringUp())
  samples.running.push((lastActivation(names) - Number(began)) / 1_000)
  samples.again.push(await field.again())
  if (field.plan) samples.plan.push(await field.plan())
  samples.changed.push(await field.change(names[Math.floor(count / 2)] ?? ''))
  samples.removed.push(await field.takeDown())
  // systemd would still know of units that failed, and the next round begins from nothing.
  spawnSync('systemctl', ['reset-failed'])
}

/** Time at which the last of them became active, in microseconds of `process.hrtime`. Nothing had to be polled meanwhile. */
function lastActivation(names: readonly string[]): number {
  const query = ['show', '--value', '--property=ActiveEnterTimestampMonotonic', ...names]
  const { stdout } = spawnSync('systemctl', query, { encoding: 'utf8', maxBuffer: 2 ** 24 })
  const times = stdout.split('\n').filter(Boolean).map(Number)
  if (times.length !== names.length || times.includes(0)) throw new Error(`expected ${names.length} active services`)
  return Math.max(...times)
}

function p50(samples: readonly number[]): string {
  return formatTime(spreadOf(samples).p50)
}
