import { describe, expect, test } from 'vitest'
import { openReport } from '../runner/report.ts'
import { findLatency } from '../story/history-check.ts'
import { type StoryOutcome, tellStory } from '../story/story.ts'
import { createStoryHost } from '../story/story-host.ts'

const seconds = Number(process.env.REEVE_STORY_SECONDS ?? 40)
const seed = Number(process.env.REEVE_STORY_SEED ?? Date.now() % 1_000_000)
const facilities = 50

describe.skipIf(process.env.REEVE_MACHINE === undefined)('the whole story', () => {
  test('an installed controller keeps 50 services up to date, with a true history', {
    timeout: (seconds * 4 + 300) * 1_000,
  }, async () => {
    console.log(`story: ${seconds} s, seed ${seed} (REEVE_STORY_SECONDS, REEVE_STORY_SEED)`)
    const outcome = await tellStory(await createStoryHost(), { seconds, seed, facilities })
    report(outcome)
    expect(outcome.problems).toEqual([])
    expect(new Set(outcome.chronicle.done.map(({ facility }) => facility)).size).toBe(facilities)
    expect(outcome.history.length).toBeGreaterThan(facilities)
  })
})

function report({ chronicle, history, settled, upheavals, problems }: StoryOutcome): void {
  const title = `Story: reeve install on systemd, ${facilities} services, ${seconds} s, seed ${seed}: ${problems.length} problems`
  const table = openReport('story', title, [
    'DEED',
    'TIMES',
    'FIRST STEP AFTER, MS: MEDIAN',
    'SLOWEST',
    'ALL RIGHT AFTER, MS: MEDIAN',
    'SLOWEST',
  ])
  for (const name of new Set(chronicle.done.map(({ deed }) => deed))) {
    const own = chronicle.done.filter(({ deed }) => deed === name)
    const acted = own.flatMap(one => findLatency(one, chronicle, history) ?? [])
    const right = own.flatMap(one => settled.get(one) ?? [])
    table.add(name, own.length, ...spread(acted), ...spread(right))
  }
  for (const [name, times] of upheavals) table.add(name, times, '-', '-', '-', '-')
  table.add('entries of history', history.length, '-', '-', '-', '-')
}

/** Median and maximum. */
function spread(values: readonly number[]): readonly [number | string, number | string] {
  const sorted = [...values].sort((a, b) => a - b)
  return [sorted[Math.floor(sorted.length / 2)] ?? '-', sorted.at(-1) ?? '-']
}
