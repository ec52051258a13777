import { fileURLToPath } from 'node:url'
import { test } from 'vitest'
import { openCliFixture } from '../labs/cli-fixture.ts'
import { openBenchReport } from './bench-report.ts'
import { alternate, formatTime, type Subject } from './spread.ts'
import { type Command, reeve, timeRun } from './timed-run.ts'

const RUNS = 40

test('start-up', async () => {
  const fixture = openCliFixture()
  const examples = fileURLToPath(new URL('../../manifests', import.meta.url))
  const node: Command = { program: process.execPath, args: ['-e', '0'], directory: fixture.directory }
  const subjects = [
    subject('node -e 0', node),
    subject('reeve --version', { ...node, args: [...reeve(fixture).args.slice(0, 1), '--version'] }),
    subject('reeve validate manifests', reeve(fixture, 'validate', examples)),
    subject('reeve plan manifests', reeve(fixture, 'plan', examples)),
  ]
  const found = await alternate(RUNS, subjects)
  const base = found.get('node -e 0')?.p50 ?? Number.NaN
  const report = openBenchReport('startup', 'Start-up: the whole process. Aim: validate under twice node -e 0', [
    'command',
    'runs',
    'best',
    'p50',
    'p99',
    'of node, p50',
  ])
  for (const [name, { count, best, p50, p99 }] of found) {
    report.add(name, count, formatTime(best), formatTime(p50), formatTime(p99), `${(p50 / base).toFixed(2)} ×`)
  }
  report.print()
})

function subject(name: string, command: Command): Subject {
  return { name, measure: async () => (await timeRun(command)).duration }
}
