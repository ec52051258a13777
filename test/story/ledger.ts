import { setTimeout as sleep } from 'node:timers/promises'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { findDoubled } from '../random-actions/census.ts'
import type { Declarations, Declared } from '../random-actions/declarations.ts'
import { type Differences, findDifferences } from '../random-actions/world-check.ts'
import { type Done, isTold, type Traces } from './history-check.ts'
import type { StoryHost } from './story-host.ts'

/** Within so many ms all has to be as declared again after a action. On a machine at rest it takes one or two seconds. */
const BOUND = 120_000

/** Pause between two full checks, in ms: each is expensive. */
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

/** Actions taken, and whether they have been repaired. */
export interface Ledger {
  readonly done: readonly Done[]
  /** From the action until all was as declared again, in ms. */
  readonly settled: ReadonlyMap<Done, number>
  readonly problems: Set<string>
  /** True until its last action has been repaired. */
  isPending(declared: Declared): boolean
  note(declared: Declared, action: string, at: number, traces: Traces): void
  /** Determines what has been repaired by now, and whether a service runs twice. */
  look(): Promise<void>
  /** Resolves when everything has been repaired. */
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
    // First the history: then the controller can't be about to do more, if it says afterwards that it isn't.
    const entries = host.history()
    const differences = await findDifferences(host, all).catch(tellRefusal)
    for (const [declared, one] of pending) {
      if (one.at >= began) continue // it was done during the check
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

/** Lasting differences between the host and its declarations. */
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
