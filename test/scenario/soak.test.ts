import { expect, onTestFinished, test } from 'vitest'
import { openTurnLog } from '../random-actions/turns.ts'
import { openReport } from '../runner/report.ts'
import { soak } from '../soak/soak.ts'
import { createSoakHost } from '../soak/soak-host.ts'

/** `npm run soak -- MINUTES [SEED]` sets these; `npm test` uses the defaults. */
const seconds = Number(process.env.REEVE_SOAK_SECONDS ?? 40)
const log = openTurnLog('soak', 'test/scenario/soak.test.ts')
const facilities = 100

/** Resident memory in bytes: a garbage collector frees memory late. */
const MOST_GROWTH = 48 * 1024 * 1024
const MOST_DESCRIPTORS = 8

test('a controller under random actions of all kinds converges and leaks nothing', {
  timeout: (seconds * 4 + 300) * 1_000,
}, async () => {
  console.log(`soak: ${seconds} s of random actions, ${log.hint}`)
  const host = await createSoakHost()
  // Also when it runs out of time.
  onTestFinished(() => host[Symbol.asyncDispose]())
  const outcome = await soak(host, { seconds, log, facilities })
  const title = `Soak: ${facilities} facilities, ${seconds} s of random actions, seed ${log.seed}`
  const actions = openReport('soak-actions', title, ['ACTION', 'TIMES'])
  for (const [name, times] of outcome.actions) actions.add(name, times)
  for (const name of outcome.leftOut) actions.add(name, 'left out: needs root')
  actions.add('wall clock of the supervisor stepped', 'left out: it is started with an environment of its own')

  const figures = openReport('soak-end', `${title}: what it came to`, ['FIGURE', 'VALUE'])
  figures.add('differences from the manifests', outcome.problems.length)
  figures.add('as declared after, ms: start, kills, warm-up, end', outcome.convergence.join(', '))
  figures.add('ends of the controller of its own accord', outcome.endings)
  figures.add('entries of history', outcome.history)
  for (const [name, [before, after]] of Object.entries(outcome.usage)) {
    const grown = (after?.memory ?? 0) - (before?.memory ?? 0)
    figures.add(`memory of the ${name}, KiB, before and after`, `${kib(before?.memory)}, ${kib(after?.memory)}`)
    figures.add(`descriptors of the ${name}, before and after`, `${before?.descriptors}, ${after?.descriptors}`)
    expect.soft(grown, `memory of the ${name}`).toBeLessThan(MOST_GROWTH)
    expect.soft(after?.descriptors).toBeLessThanOrEqual((before?.descriptors ?? 0) + MOST_DESCRIPTORS)
  }
  expect(outcome.problems, log.hint).toEqual([])
  expect(log.isReplay ? [] : outcome.neverMade).toEqual([])
  expect(outcome.history).toBeGreaterThan(facilities)
})

function kib(bytes: number | undefined): string {
  return Math.round((bytes ?? Number.NaN) / 1024).toLocaleString('en')
}
