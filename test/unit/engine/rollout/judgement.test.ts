import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { beginProgress, type Judgement, judge, type Progress } from '../../../../src/engine/rollout/judgement.ts'
import type { Standing } from '../../../../src/engine/rollout/standing.ts'

const rules = { minHealthyTime: 10_000, healthyDeadline: 60_000, progressDeadline: 120_000 }

const ready = (run = '7'): Standing => ({ kind: 'ready', message: 'running', run })
const progressing: Standing = { kind: 'progressing', message: 'starting' }
const waiting: Standing = { kind: 'waiting', message: 'its steps have not begun' }
const stalled: Standing = { kind: 'stalled', message: 'no space left on device' }
const failed: Standing = { kind: 'failed', message: 'it exited with code 1' }

type Moment = readonly [second: number, standings: Readonly<Record<string, Standing>>]

/** Judges at each moment, and gives the last judgement. */
function judgeAll(...moments: readonly Moment[]): Judgement {
  let progress: Progress = beginProgress(0)
  let last: Judgement | undefined
  for (const [second, standings] of moments) {
    last = judge(progress, {
      standings: new Map(Object.entries(standings)),
      rulesOf: () => rules,
      progressDeadline: rules.progressDeadline,
      now: second * 1_000,
    })
    progress = last.progress
  }
  if (!last) throw new Error('there is no moment')
  return last
}

describe('a revision', () => {
  const cases: readonly (readonly [string, Judgement['verdict'], string | undefined, readonly Moment[]])[] = [
    ['is healthy if it changes nothing', 'healthy', undefined, [[0, {}]]],
    [
      'progresses until its facilities have been ready for long enough',
      'progressing',
      '0 of 1 changed facilities are healthy',
      [
        [0, { web: ready() }],
        [9.9, { web: ready() }],
      ],
    ],
    [
      'is healthy once they have',
      'healthy',
      undefined,
      [
        [0, { web: ready() }],
        [10, { web: ready() }],
      ],
    ],
    [
      'has to wait anew after a restart',
      'progressing',
      '0 of 1 changed facilities are healthy',
      [
        [0, { web: ready('7') }],
        [9, { web: ready('8') }],
        [18, { web: ready('8') }],
      ],
    ],
    [
      'fails with its first facility that fails',
      'failed',
      'db: it exited with code 1',
      [[0, { db: failed, web: ready() }]],
    ],
    [
      'fails if a facility that was healthy fails meanwhile',
      'failed',
      'db: it exited with code 1',
      [
        [0, { db: ready(), web: progressing }],
        [11, { db: failed, web: progressing }],
      ],
    ],
    [
      'fails if a facility does not become healthy in time',
      'failed',
      'web did not become healthy within 60 s: starting',
      [
        [0, { web: progressing }],
        [60, { web: progressing }],
      ],
    ],
    [
      'gives a facility its time from when it began',
      'progressing',
      '0 of 1 changed facilities are healthy',
      [
        [0, { web: waiting }],
        [59, { web: progressing }],
        [100, { web: progressing }],
      ],
    ],
    [
      'fails if nothing begins for too long',
      'failed',
      'no facility became healthy for 120 s; web: its steps have not begun',
      [
        [0, { web: waiting }],
        [120, { web: waiting }],
      ],
    ],
    [
      'has its deadline set back by each facility that becomes healthy',
      'progressing',
      '1 of 2 changed facilities are healthy',
      [
        [0, { db: ready(), web: waiting }],
        [100, { db: ready(), web: waiting }],
        [200, { db: ready(), web: waiting }],
      ],
    ],
    [
      'is stalled by a cause outside of it, however long that lasts',
      'stalled',
      'web: no space left on device',
      [
        [0, { web: stalled }],
        [100_000, { web: stalled }],
      ],
    ],
    [
      'goes on with its whole time once the cause is gone',
      'progressing',
      '0 of 1 changed facilities are healthy',
      [
        [0, { web: progressing }],
        [50, { web: stalled }],
        [500, { web: progressing }],
        [559, { web: progressing }],
      ],
    ],
  ]
  test.each(cases)('%s', (_title, verdict, message, moments) => {
    const found = judgeAll(...moments)
    expect({ verdict: found.verdict, message: found.message }).toEqual({ verdict, message })
  })

  test('is judged again when the next of its times is over', () => {
    expect(judgeAll([0, { web: ready() }]).next).toBe(10_000)
    expect(judgeAll([0, { web: progressing }]).next).toBe(60_000)
    expect(judgeAll([0, { web: waiting }]).next).toBe(120_000)
    expect(judgeAll([0, { web: stalled }])).not.toHaveProperty('next')
  })
})

const kinds = fc.constantFrom(ready('7'), ready('8'), progressing, waiting, stalled, failed)
const moments = fc.array(fc.record({ after: fc.integer({ min: 0, max: 30_000 }), web: kinds, db: kinds }), {
  minLength: 1,
  maxLength: 40,
})

test('E23: whatever its facilities do, a revision that is not stalled ends, and is healthy only if all were for long enough', () => {
  fc.assert(
    fc.property(moments, steps => {
      let progress = beginProgress(0)
      let now = 0
      let since: Record<string, { run: string; at: number } | undefined> = {}
      for (const { after, web, db } of steps) {
        now += after
        const standings = new Map([
          ['db', db],
          ['web', web],
        ])
        const next: typeof since = {}
        for (const [name, { kind, run = '' }] of standings) {
          if (kind === 'ready') next[name] = since[name]?.run === run ? since[name] : { run, at: now }
        }
        since = next
        const found = judge(progress, {
          standings,
          rulesOf: () => rules,
          progressDeadline: rules.progressDeadline,
          now,
        })
        progress = found.progress
        const isLong = (name: string): boolean => now - (since[name]?.at ?? now + 1) >= rules.minHealthyTime
        expect(found.verdict === 'healthy').toBe([...standings.keys()].every(isLong))
        if ([web, db].some(({ kind }) => kind === 'failed')) expect(found.verdict).toBe('failed')
        if (found.verdict === 'failed' || found.verdict === 'healthy') return
        if (found.next !== undefined) expect(found.next).toBeGreaterThan(now)
        else expect(found.verdict).toBe('stalled')
      }
    }),
  )
})
