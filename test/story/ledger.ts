import { setTimeout as sleep } from 'node:timers/promises'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { findDoubled } from '../random-actions/census.ts'
import type { Declarations, Declared } from '../random-actions/declarations.ts'
import { type Differences, findDifferences } from '../random-actions/world-check.ts'
import { type Done, isTold, type Traces } from './history-check.ts'
import type { StoryHost } from './story-host.ts'

/** Within so many ms all has to be as declared again after a action. On a machine at rest it takes one or two seconds. */
const BOUND = 120_000

/** Between two looks at everything, in ms: each costs the machine a good deal. */
export const LOOK_EVERY = 150

/** What a story is about. */
export interface StoryWorld {
  readonly host: StoryHost
  readonly declarations: Declarations
  readonly ledger: Ledger
  /** Whose manifest is broken just now. */
  readonly broken: Set<Declared>
  /** Puts a revision in place that has everything as it is declared now. */
  publish(): void
}

/** What has been done, and whether it has been put right. */
export interface Ledger {
  readonly done: readonly Done[]
  /** From the action until all was as declared again, in ms. */
  readonly settled: ReadonlyMap<Done, number>
  readonly problems: Set<string>
  /** True until what was done to it last has been put right. */
  isPending(declared: Declared): boolean
  note(declared: Declared, action: string, at: number, traces: Traces): void
  /** Sees what has been put right by now, and whether a service runs twice. */
  look(): Promise<void>
  /** Resolves when all has been put right. */
  settle(): Promise<void>
}

export function createLedger(host: StoryHost, all: readonly Declared[]): Ledger {
  const done: Done[] = []
  const pending = new Map<Declared, Done>()
  const settled = new Map<Done, number>()
  const problems = new Set<string>()

  async function look(): Promise<void> {
    for (const one of findDoubled(host.marker)) problems.add(`doubled for a while: ${one}`)
    const began = Date.now()
    // First what has been told: then the controller can't be about to do more, if it says afterwards that it isn't.
    const entries = host.history()
    const differences = await findDifferences(host, all).catch(tellRefusal)
    for (const [declared, one] of pending) {
      if (one.at >= began) continue // it was done while we looked
      const isRight = !differences.has('controller') && !differences.has(declared.name)
      if (isRight && isTold(one, entries)) {
        settled.set(one, Date.now() - one.at)
        pending.delete(declared)
      } else if (began - one.at > BOUND) {
        const what = differences.get(declared.name)?.join('; ') ?? 'it is as declared, and the history does not tell'
        problems.add(`${one.action}, ${one.facility}: not put right within ${BOUND} ms: ${what}`)
        pending.delete(declared)
      }
    }
  }

  return {
    done,
    settled,
    problems,
    isPending: declared => pending.has(declared),
    note(declared, action, at, { tells, mayTell = [], mayFailBy }) {
      const one: Done = {
        facility: declared.name,
        action,
        at,
        tells: tells(declared),
        mayTell,
        ...(mayFailBy && { mayFailBy }),
      }
      done.push(one)
      pending.set(declared, one)
    },
    look,
    async settle() {
      for (; pending.size > 0; await sleep(LOOK_EVERY)) await look()
    },
  }
}

/** In what the world goes on to differ from what is declared. */
export async function findLastDifferences(host: StoryHost, all: readonly Declared[]): Promise<Differences> {
  for (const deadline = Date.now() + BOUND; ; await sleep(LOOK_EVERY)) {
    const differences = await findDifferences(host, all).catch(tellRefusal)
    if (differences.size === 0 || Date.now() > deadline) return differences
  }
}

/** A controller that has only just been killed doesn't answer. */
function tellRefusal(error: unknown): Differences {
  if (error instanceof ReeveError) return new Map([['controller', [error.message]]])
  throw error
}
