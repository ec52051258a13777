import { describe, expect, test } from 'vitest'
import { openTurnLog } from '../random-actions/turns.ts'
import { openReport } from '../runner/report.ts'
import { findLatency } from '../story/history-check.ts'
import { type StoryOutcome, tellStory } from '../story/story.ts'
import { createStoryHost } from '../story/story-host.ts'

const seconds = Number(process.env.REEVE_STORY_SECONDS ?? 40)
const facilities = 50

describe.skipIf(process.env.REEVE_MACHINE === undefined)('the whole story', () => {
  test('an installed controller keeps 50 services up to date, with a true history', {
    timeout: (seconds * 4 + 300) * 1_000,
  }, async () => {
    const log = openTurnLog('story', 'test/systemd/story.test.ts')
    console.log(`story: ${seconds} s (REEVE_STORY_SECONDS), ${log.hint}`)
    const outcome = await tellStory(await createStoryHost(), { seconds, log, facilities })
    report(outcome, log.seed)
    expect(outcome.problems, log.hint).toEqual([])
    expect(new Set(outcome.done.map(({ facility }) => facility)).size).toBe(facilities)
    expect(outcome.history.length).toBeGreaterThan(facilities)
  })
})

function report({ done, history, settled, faults, problems }: StoryOutcome, seed: number): void {
  const title = `Story: reeve install on systemd, ${facilities} services, ${seconds} s, seed ${seed}: ${problems.length} problems`
  const table = openReport('story', title, [
    'ACTION',
    'TIMES',
    'FIRST STEP AFTER, MS: MEDIAN',
    'SLOWEST',
    'ALL RIGHT AFTER, MS: MEDIAN',
    'SLOWEST',
  ])
  for (const name of new Set(done.map(({ action }) => action))) {
    const own = done.filter(({ action }) => action === name)
    const acted = own.flatMap(one => findLatency(one, done, history) ?? [])
    const right = own.flatMap(one => settled.get(one) ?? [])
    table.add(name, own.length, ...spread(acted), ...spread(right))
  }
  for (const [name, times] of faults) table.add(name, times, '-', '-', '-', '-')
  table.add('entries of history', history.length, '-', '-', '-', '-')
}

/** Median and maximum. */
function spread(values: readonly number[]): readonly [number | string, number | string] {
  const sorted = [...values].sort((a, b) => a - b)
  return [sorted[Math.floor(sorted.length / 2)] ?? '-', sorted.at(-1) ?? '-']
}
