import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { createBag, createChooser } from './chooser.ts'

/** One action on a world: `at` decides all its choices. Then so many ms pass. */
export interface Turn {
  readonly kind: string
  readonly at: number
  readonly wait: number
}

/** For properties, which shrink a failing story. */
export function turnsOf(
  kinds: readonly string[],
  waits: readonly number[],
  most: number,
): fc.Arbitrary<readonly Turn[]> {
  const turn = fc.record({ kind: fc.constantFrom(...kinds), at: fc.nat(), wait: fc.constantFrom(...waits) })
  return fc.array(turn, { minLength: 3, maxLength: most })
}

export interface StretchOptions {
  /** Each kind of a group occurs before one of them is repeated. Groups occur in proportion to their weights. */
  readonly groups: readonly { readonly kinds: readonly string[]; readonly weight: number }[]
  readonly longestWait: number
  /** Called before each turn. */
  isOver(): boolean
}

/** Turns of a run: drawn from its seed and recorded, or replayed from the record of an earlier run. */
export interface TurnLog {
  readonly seed: number
  /** The turns are those of an earlier run. */
  readonly isReplay: boolean
  /** Message on how to repeat the run. */
  readonly hint: string
  /** Turns of the next phase of the run. */
  nextStretch(options: StretchOptions): Iterable<Turn>
}

/**
 * `test/report/NAME.turns` gets each turn as it begins, a line of JSON each, and an empty line after each stretch.
 * `REEVE_REPLAY` names such a file, from which lines may have been deleted; `REEVE_SEED` has turns drawn from that seed.
 */
export function openTurnLog(name: string, test: string): TurnLog {
  const directory = join(import.meta.dirname, '../report')
  const path = join(directory, `${name}.turns`)
  const { REEVE_REPLAY: replay, REEVE_SEED: seed = Date.now() % 1_000_000 } = process.env
  const stretches = replay === undefined ? undefined : readFileSync(replay, 'utf8').split('\n\n')
  const choose = createChooser(Number(seed))
  mkdirSync(directory, { recursive: true })
  writeFileSync(path, '')

  function* draw({ groups, longestWait, isOver }: StretchOptions): Generator<Turn> {
    const tickets = groups.flatMap(({ kinds, weight }) => Array(weight).fill(createBag(kinds, choose)))
    while (!isOver()) {
      const kind: string = tickets[choose(tickets.length)]()
      yield { kind, at: choose(2 ** 31), wait: choose(longestWait) }
    }
  }

  return {
    seed: Number(seed),
    isReplay: stretches !== undefined,
    hint: `seed ${seed}; to see it again: REEVE_REPLAY=${path} npx vitest run ${test}`,
    *nextStretch(options) {
      const lines = stretches?.shift()?.split('\n').filter(Boolean)
      const noted = lines?.map((line): Turn => JSON.parse(line))
      for (const turn of stretches ? (noted ?? []) : draw(options)) {
        appendFileSync(path, `${JSON.stringify(turn)}\n`)
        yield turn
      }
      appendFileSync(path, '\n')
    },
  }
}
