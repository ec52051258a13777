import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../src/conformance/eventually.ts'
import { openCliFixture } from '../labs/cli-fixture.ts'
import { openBenchReport } from './bench-report.ts'
import { declareMany, plainConfiguration } from './load-generator.ts'
import { readMemory, readProcessorTime } from './process-use.ts'
import { formatMemory } from './spread.ts'
import { usual } from './unit-contender.ts'
import { sleepingUnit } from './unit-reeve.ts'

const counts = [100, 1_000]

/** Time in ms after a start until its consequences are over. */
const REST = 15_000

/** One resync interval, in ms. */
const WINDOW = 300_000

/** Processor time of an idle controller, and what it causes in systemd. */
export async function measureRest(): Promise<void> {
  const title = `Nothing happens for ${WINDOW / 1_000} s, with one look around. Aim: not measurable`
  const report = openBenchReport('systemd-rest', title, [
    'services',
    'controller, of a core',
    'PSS',
    'RSS',
    'systemd, of a core',
    'without a controller',
  ])
  for (const count of counts) {
    const fixture = openCliFixture()
    fixture.write('reeve.yaml', plainConfiguration)
    declareMany(fixture, count, name => sleepingUnit(name, usual))
    await fixture.succeed(['apply'])
    await sleep(REST)
    const alone = await useOf(1)
    const { child, stderr, ended } = fixture.start(['run'])
    await eventually('all are as declared', () => stderr().includes(`all ${count} facilities are as declared`), 120_000)
    await sleep(REST)
    const pid = child.pid ?? Number.NaN
    const [own, systemd] = await Promise.all([useOf(pid), useOf(1)])
    const { proportional, resident } = readMemory([pid])
    report.add(count, own, formatMemory(proportional), formatMemory(resident), systemd, alone)
    child.kill('SIGTERM')
    await ended
    await fixture.succeed(['down', '--yes'])
  }
  report.print()
}

async function useOf(pid: number): Promise<string> {
  const [before, began] = [readProcessorTime(pid), performance.now()]
  await sleep(WINDOW)
  const share = (readProcessorTime(pid) - before) / (performance.now() - began)
  return `${(share * 100).toFixed(2)} %`
}
