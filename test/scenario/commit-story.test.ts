import { expect, onTestFinished, test } from 'vitest'
import { tellCommitStory } from '../commit-story/commit-story.ts'
import { createCommitWorld } from '../commit-story/world.ts'
import { openTurnLog } from '../random-actions/turns.ts'
import { openReport } from '../runner/report.ts'

const seconds = Number(process.env.REEVE_COMMIT_STORY_SECONDS ?? 30)
const log = openTurnLog('commit-story', 'test/scenario/commit-story.test.ts')
const facilities = 8

test('a host whose repository gets good, bad, unsigned and rewritten commits runs the last good trusted one, whatever is killed', {
  timeout: (seconds * 4 + 300) * 1_000,
}, async () => {
  console.log(`commit story: ${seconds} s of commits, ${log.hint}`)
  const world = await createCommitWorld(facilities)
  onTestFinished(() => world[Symbol.asyncDispose]())
  const outcome = await tellCommitStory(world, { seconds, log })
  const title = `Commit story: ${facilities} facilities, ${seconds} s of commits, seed ${log.seed}`
  const report = openReport('commit-story', title, ['WHAT', 'TIMES'])
  for (const [name, times] of outcome.actions) report.add(name, times)
  for (const name of outcome.neverMade) report.add(name, 'had no target')
  for (const name of new Set(outcome.records.map(({ outcome: told }) => told))) {
    report.add(`revisions told as ${name}`, outcome.records.filter(({ outcome: told }) => told === name).length)
  }
  expect(outcome.problems, log.hint).toEqual([])
  // The first one, and at least one that came into force later.
  expect(outcome.records.filter(({ outcome: told }) => told === 'Healthy').length, log.hint).toBeGreaterThan(
    log.isReplay ? 0 : 1,
  )
})
