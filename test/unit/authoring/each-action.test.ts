import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Act, eachAction, type Task } from '../../../src/authoring/each-action.ts'
import type { Action, ActionResult, ServiceVerb } from '../../../src/core/contracts/provider.ts'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { createManualClock } from '../../tools/manual-clock.ts'

const wanted = new AbortController().signal

function start(service: string, signal: AbortSignal = wanted, verb: ServiceVerb = 'start'): Action {
  return { id: `${service}/${verb}`, verb, service, signal }
}

/** Reports so far, in order: the service, and its error. */
function createReport(): { report(result: ActionResult): void; told: string[]; errors: Error[] } {
  const told: string[] = []
  const errors: Error[] = []
  return {
    told,
    errors,
    report(result) {
      told.push(result.ok ? result.id : `${result.id}: ${result.error.message}`)
      if (!result.ok) errors.push(result.error)
    },
  }
}

/** Functions that wait until they are released, one for each service. */
function createGates(): { act: Act; begun: string[]; open(service: string): void } {
  const begun: string[] = []
  const gates = new Map<string, () => void>()
  return {
    begun,
    act: ({ service }) => {
      begun.push(service)
      return new Promise(resolve => gates.set(service, resolve))
    },
    open: service => gates.get(service)?.(),
  }
}

const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

describe('each action of a batch', () => {
  test('is reported once, as soon as it ends, and a failure of one stops no other', async () => {
    const { report, told, errors } = createReport()
    const { act, open } = createGates()
    const clock = createManualClock()
    const faulty: Act = task => {
      if (task.service === 'thrower') throw new Error('broken')
      // JavaScript can throw anything.
      if (task.service === 'rejecter') return Promise.reject('no error at all')
      return act(task)
    }
    const names = ['slow', 'thrower', 'rejecter', 'quick']
    const applied = eachAction(faulty, { clock })(
      names.map(name => start(name)),
      report,
    )
    await settle()
    expect(told).toEqual(['thrower/start: broken', 'rejecter/start: no error at all'])
    open('quick')
    await settle()
    open('slow')
    await applied
    expect(told.slice(2)).toEqual(['quick/start', 'slow/start'])
    expect(errors.every(error => error instanceof Error)).toBe(true)
  })

  test('waits for its turn if many are running, across batches, and gets it in order', async () => {
    const { report, told } = createReport()
    const { act, begun, open } = createGates()
    const apply = eachAction(act, { clock: createManualClock(), atOnce: 2 })
    const applied = [apply([start('a'), start('b'), start('c')], report), apply([start('d')], report)]
    await settle()
    expect(begun).toEqual(['a', 'b'])
    open('b')
    await settle()
    expect(begun).toEqual(['a', 'b', 'c'])
    for (const service of ['a', 'c', 'd']) {
      open(service)
      await settle()
    }
    await Promise.all(applied)
    expect(told).toEqual(['b/start', 'a/start', 'c/start', 'd/start'])
  })

  test('that is already aborted does not begin, and waits for no turn', async () => {
    const { report, told, errors } = createReport()
    const { act, begun, open } = createGates()
    const controller = new AbortController()
    const apply = eachAction(act, { clock: createManualClock(), atOnce: 1 })
    const applied = apply([start('a'), start('b', controller.signal), start('c', AbortSignal.abort())], report)
    await settle()
    expect(told).toEqual(['c/start: the start of c was not waited for any longer'])
    controller.abort(new Error('overtaken'))
    await settle()
    expect(told).toHaveLength(2)
    expect(errors[1]).toMatchObject({ code: 'aborted', cause: new Error('overtaken') })
    open('a')
    await applied
    expect(begun).toEqual(['a'])
    // No turn was lost or gained by that.
    void apply([start('d'), start('e')], report)
    await settle()
    expect(begun).toEqual(['a', 'd'])
  })

  test('calls the function of its verb; restart defaults to stop and start, and reload fails by default', async () => {
    const done: string[] = []
    const note = (what: string) => (): void => void done.push(what)
    const acts = {
      install: note('install'),
      enable: note('enable'),
      disable: note('disable'),
      start: note('start'),
      stop: note('stop'),
      remove: note('remove'),
    }
    const { report, told } = createReport()
    const clock = createManualClock()
    await eachAction(acts, { clock })([start('web', wanted, 'restart'), start('db', wanted, 'reload')], report)
    expect(done).toEqual(['stop', 'start'])
    expect(told).toEqual(['db/reload: its supervisor knows no reload; restart it', 'web/restart'])
    await eachAction({ ...acts, restart: note('again'), reload: note('reread') }, { clock })(
      [start('web', wanted, 'restart'), start('db', wanted, 'reload')],
      report,
    )
    expect(done.slice(2)).toEqual(['again', 'reread'])
  })

  test('is reported exactly once, whatever it does and whenever it is aborted, within the concurrency limit', async () => {
    const kinds = fc.constantFrom('ends', 'throws', 'waits', 'waits in vain')
    const one = fc.record({ kind: kinds, duration: fc.nat(20), abortsAt: fc.option(fc.nat(20), { nil: undefined }) })
    let [aborted, crowded] = [0, 0]
    await fc.assert(
      fc.asyncProperty(fc.array(one, { maxLength: 12 }), fc.integer({ min: 1, max: 4 }), async (all, atOnce) => {
        const clock = createManualClock()
        const { report, told } = createReport()
        let working = 0
        const work = async (duration: number): Promise<void> => {
          working += 1
          crowded = Math.max(crowded, working)
          expect(working).toBeLessThanOrEqual(atOnce)
          await clock.sleep(duration)
          working -= 1
        }
        const act = async ({ service, waitUntil }: Task): Promise<void> => {
          const { kind = '', duration = 0 } = all[Number(service)] ?? {}
          const begun = clock.elapsed()
          await work(duration)
          if (kind === 'throws') throw new Error('broken')
          if (kind === 'waits') await waitUntil(() => clock.elapsed() >= begun + 2 * duration, { interval: 3 })
          if (kind === 'waits in vain') await waitUntil(() => false, { interval: 3, deadline: duration })
        }
        const actions = all.map(({ abortsAt }, index) => {
          const controller = new AbortController()
          if (abortsAt !== undefined) clock.after(abortsAt, () => controller.abort())
          return start(String(index), controller.signal)
        })
        const applied = eachAction(act, { clock, atOnce })(actions, report)
        await clock.advance(2_000)
        await applied
        expect(told.map(text => text.split(':')[0]).sort()).toEqual(actions.map(({ id }) => id).sort())
        aborted += told.filter(text => text.includes('not waited for')).length
      }),
      { numRuns: 60 },
    )
    expect(Math.min(aborted, crowded - 1)).toBeGreaterThan(0)
  })
})

describe('waiting for a condition', () => {
  function wait(
    condition: () => boolean | Promise<boolean>,
    options: Parameters<Task['waitUntil']>[1],
    signal = wanted,
  ): { told: string[]; clock: ReturnType<typeof createManualClock>; applied: Promise<void>; errors: Error[] } {
    const clock = createManualClock()
    const { report, told, errors } = createReport()
    const act: Act = task => task.waitUntil(condition, options)
    return { clock, told, errors, applied: eachAction(act, { clock })([start('web', signal)], report) }
  }

  test('ends as soon as it holds', async () => {
    let looks = 0
    const { clock, told, applied } = wait(async () => ++looks === 4, { interval: 10 })
    await clock.advance(29)
    expect([looks, told]).toEqual([3, []])
    await clock.advance(1)
    await applied
    expect([looks, told]).toEqual([4, ['web/start']])
    // Without a timer if it holds at once.
    const held = wait(() => true, {})
    await held.applied
    expect([held.told, held.clock.pending]).toEqual([['web/start'], 0])
  })

  test('fails at the deadline, after a last check', async () => {
    const late = wait(() => false, { deadline: 1_500, interval: 1_000, what: 'a pid' })
    await late.clock.advance(1_499)
    expect(late.told).toEqual([])
    await late.clock.advance(1)
    expect(late.told).toEqual(['web/start: waited 1.5 s in vain for a pid'])
    expect(late.errors[0]).toMatchObject({ code: 'failed' })
    const inTime = wait(() => inTime.clock.elapsed() >= late.clock.elapsed(), { deadline: 1_500, interval: 1_000 })
    await inTime.clock.advance(1_500)
    expect(inTime.told).toEqual(['web/start'])
    const unnamed = wait(() => false, { deadline: 0 })
    await unnamed.applied
    expect(unnamed.told).toEqual(['web/start: waited 0 s in vain for the start of web'])
  })

  test('goes on while the supervisor does not answer, and fails for any other error', async () => {
    const away = new ReeveError('unavailable', 'nothing listens at /run/monit.sock')
    const answers = [() => Promise.reject(away), () => false, () => Promise.reject(away), () => true]
    const { clock, told, applied } = wait(async () => (await answers.shift()?.()) ?? false, { interval: 10 })
    await clock.advance(30)
    await applied
    expect([told, answers]).toEqual([['web/start'], []])
    const vain = wait(() => Promise.reject(away), { interval: 10, deadline: 20 })
    await vain.clock.advance(20)
    await vain.applied
    expect(vain.errors).toMatchObject([{ code: 'failed', cause: away }])
    const broken = wait(() => Promise.reject(new Error('broken')), {})
    await broken.applied
    expect(broken.told).toEqual(['web/start: broken'])
  })

  test('ends at once on an abort, and reports its progress', async () => {
    for (const isReached of [false, true]) {
      const controller = new AbortController()
      let looks = 0
      const found = wait(() => ++looks > 1 && isReached, { interval: 60_000 }, controller.signal)
      await found.clock.untilPending(1)
      controller.abort(new Error('overtaken'))
      await found.applied
      expect(looks).toBe(2)
      expect(found.told).toEqual([
        isReached ? 'web/start' : 'web/start: the start of web was not waited for any longer',
      ])
      expect(found.clock.pending).toBe(0)
    }
  })

  test('delays no other action, and continues in its own turn', async () => {
    const clock = createManualClock()
    const { report, told } = createReport()
    const { act, begun, open } = createGates()
    let isReady = false
    const either: Act = task => (task.service === 'stuck' ? task.waitUntil(() => isReady, { interval: 10 }) : act(task))
    const applied = eachAction(either, { clock, atOnce: 1 })([start('stuck'), start('a')], report)
    await settle()
    expect(begun).toEqual(['a'])
    isReady = true
    await clock.advance(100)
    expect(told).toEqual([])
    open('a')
    await applied
    expect(told).toEqual(['a/start', 'stuck/start'])
  })
})
