import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import type { Observed } from '../../../../src/core/state/observed.ts'
import { createReadinessWaits, type ReadinessWaits } from '../../../../src/engine/health/readiness-wait.ts'
import { makeFacility } from '../../../simulation/declaration.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'

test('a thousand waiting facilities are each looked up a few times, not once per other facility', async () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `s${index}`)
  const facilities = new Map(names.map(name => [name, makeFacility({ name })]))
  const clock = createManualClock()
  let lookups = 0
  const waits: ReadinessWaits = createReadinessWaits({
    clock,
    facility(name) {
      lookups += 1
      return facilities.get(name)
    },
    observed: () => undefined,
    readiness: () => ({ ready: true, reason: 'Running', message: 'running' }),
    async observe(asked) {
      return new Map(asked.map(({ name, service }) => [name, running(service)]))
    },
    update: name => waits.settle(name),
  })
  const controller = new AbortController()
  const all = Promise.all(names.map(name => waits.until(name, controller.signal, { bounded: true })))
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1)
  await clock.advance(100)
  await all
  expect(lookups).toBeLessThanOrEqual(10 * names.length)
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  expect(clock.pending).toBe(0)
})

function running(service: string): Observed {
  return { service, state: 'running', enabled: true, supervised: true, pid: 1 }
}
