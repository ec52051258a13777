import { setTimeout as sleep } from 'node:timers/promises'
import type { HistoryEntry } from '../../src/engine/session/history.ts'
import { createDeclarations, type Declared } from '../random-actions/declarations.ts'
import { takeTurns } from '../random-actions/run.ts'
import type { TurnLog } from '../random-actions/turns.ts'
import { hasDropIn, storyActions, tellsOfNew } from './actions.ts'
import { storyFaults } from './faults.ts'
import { type Done, findUntruths } from './history-check.ts'
import { createLedger, findLastDifferences, type Ledger, LOOK_EVERY, type StoryWorld } from './ledger.ts'
import { findLeftovers, placeBystander } from './leftovers.ts'
import type { StoryHost } from './story-host.ts'

export interface StoryOptions {
  /** Duration of the actions. */
  readonly seconds: number
  readonly log: TurnLog
  readonly facilities: number
}

export interface StoryOutcome {
  readonly done: readonly Done[]
  readonly history: readonly HistoryEntry[]
  /** How often each fault was made. */
  readonly faults: ReadonlyMap<string, number>
  /** From the action until all was as declared again, in ms. */
  readonly settled: ReadonlyMap<Done, number>
  /** Problems: none, ideally. */
  readonly problems: readonly string[]
}

/** Between two actions, in ms. */
const LONGEST_PAUSE = 100

/** Reeve is installed, keeps its services as declared while they are disturbed, and records it truthfully. */
export async function tellStory(host: StoryHost, { seconds, log, facilities }: StoryOptions): Promise<StoryOutcome> {
  const declarations = createDeclarations(facilities, host)
  const { all } = declarations
  const ledger = createLedger(host, all)
  const broken = new Set<Declared>()
  const publish = (): void => {
    const present = all.filter(({ isPresent }) => isPresent)
    const texts = present.map((one): [string, string] => {
      const text = withDropIn(one, declarations.textOf(one))
      return [`${one.name}.yaml`, broken.has(one) ? text.slice(0, -2) : text]
    })
    host.publish(new Map(texts))
  }
  const bystander = placeBystander(host)

  publish()
  for (const declared of all) ledger.note(declared, 'declared', Date.now(), { tells: tellsOfNew })
  const { exitCode, stdout, stderr } = await host.reeve(['install'])
  if (exitCode !== 0) throw new Error(`reeve install failed: ${stdout}${stderr}`)
  await ledger.settle()
  const counts = await meddleFor(seconds * 1_000, { host, declarations, ledger, broken, publish }, log)
  await ledger.settle()

  const problems = [...ledger.problems]
  for (const [name, wrong] of await findLastDifferences(host, all)) problems.push(`at the end: ${name}: ${wrong}`)
  problems.push(...findLeftovers(all, ledger.done, bystander, host))
  const history = host.history()
  problems.push(...findUntruths(ledger.done, history))
  const faults = new Map([...counts].filter(([kind]) => kind in storyFaults))
  return { done: ledger.done, history, faults, settled: ledger.settled, problems }
}

/** Gives how often each kind was done. */
async function meddleFor(duration: number, world: StoryWorld, log: TurnLog): Promise<ReadonlyMap<string, number>> {
  const { ledger } = world
  const counts = new Map<string, number>()
  const groups = [
    { kinds: Object.keys(storyFaults), weight: 1 },
    { kinds: Object.keys(storyActions), weight: 9 },
  ]
  const deadline = Date.now() + duration
  const turns = log.nextStretch({ groups, longestWait: LONGEST_PAUSE, isOver: () => Date.now() >= deadline })
  const end = new AbortController()
  const watching = keepLooking(ledger, end.signal)
  try {
    await takeTurns({
      world,
      actions: { ...storyActions, ...storyFaults },
      turns,
      counts,
      wait: sleep,
      findProblems: () => [...ledger.problems],
      isAlone: kind => kind in storyFaults,
    })
  } finally {
    end.abort()
    await watching
  }
  return counts
}

async function keepLooking(ledger: Ledger, signal: AbortSignal): Promise<void> {
  for (; !signal.aborted; await sleep(LOOK_EVERY)) await ledger.look()
}

function withDropIn(declared: Declared, text: string): string {
  if (!hasDropIn(declared)) return text
  const manifest = JSON.parse(text)
  const dropIns = { limits: { Service: { MemoryMax: '512M' } } }
  return JSON.stringify({ ...manifest, spec: { ...manifest.spec, config: { systemd: { dropIns } } } })
}
