import { setTimeout as sleep } from 'node:timers/promises'
import type { HistoryEntry } from '../../src/engine/session/history.ts'
import { createBag, createChooser } from '../random-actions/chooser.ts'
import { createDeclarations, type Declared } from '../random-actions/declarations.ts'
import { hasDropIn, type StoryAction, storyActions, tellsOfNew } from './actions.ts'
import { createFaults, type FaultStage } from './faults.ts'
import { type Done, findUntruths, type HistoryCheck } from './history-check.ts'
import { createLedger, findLastDifferences, type Ledger, LOOK_EVERY } from './ledger.ts'
import { findLeftovers, placeBystander } from './leftovers.ts'
import type { StoryHost } from './story-host.ts'

export interface StoryOptions {
  /** How long things are done behind Reeve's back. */
  readonly seconds: number
  readonly seed: number
  readonly facilities: number
}

export interface StoryOutcome {
  readonly chronicle: HistoryCheck
  readonly history: readonly HistoryEntry[]
  /** What was done to the host as a whole, and how often. */
  readonly upheavals: ReadonlyMap<string, number>
  /** From the deed until all was as declared again, in ms. */
  readonly settled: ReadonlyMap<Done, number>
  /** What is not as it should be: nothing, one hopes. */
  readonly problems: readonly string[]
}

/** Between two deeds, in ms. */
const LONGEST_PAUSE = 100
/** One deed in so many is done to the host as a whole. */
const UPHEAVALS = 10

/** Reeve is installed, keeps its services as declared for as long as somebody meddles with them, and tells of it truly. */
export async function tellStory(host: StoryHost, { seconds, seed, facilities }: StoryOptions): Promise<StoryOutcome> {
  const declarations = createDeclarations(facilities, host)
  const { all } = declarations
  const ledger = createLedger(host, all)
  const broken = new Set<Declared>()
  const choose = createChooser(seed)
  const nextDeed = createBag(Object.entries(storyActions), choose)
  const stage: FaultStage = {
    host,
    declarations,
    choose,
    ledger,
    broken,
    publish() {
      const present = all.filter(({ isPresent }) => isPresent)
      const texts = present.map((one): [string, string] => {
        const text = withDropIn(one, declarations.textOf(one))
        return [`${one.name}.yaml`, broken.has(one) ? text.slice(0, -2) : text]
      })
      host.publish(new Map(texts))
    },
    meddle: () => meddle(stage, nextDeed()),
  }
  const bystander = placeBystander(host)

  stage.publish()
  for (const declared of all) ledger.note(declared, 'declared', Date.now(), { tells: tellsOfNew })
  const { exitCode, stdout, stderr } = await host.reeve(['install'])
  if (exitCode !== 0) throw new Error(`reeve install failed: ${stdout}${stderr}`)
  await ledger.settle()
  const upheavals = await meddleFor(seconds * 1_000, stage)
  await ledger.settle()

  const problems = [...ledger.problems]
  for (const [name, wrong] of await findLastDifferences(host, all)) problems.push(`at the end: ${name}: ${wrong}`)
  problems.push(...findLeftovers(all, ledger.done, bystander, host))
  const chronicle: HistoryCheck = { done: ledger.done }
  const history = host.history()
  problems.push(...findUntruths(chronicle, history))
  return { chronicle, history, upheavals, settled: ledger.settled, problems }
}

/** Gives how often what was done to the host as a whole. */
async function meddleFor(duration: number, stage: FaultStage): Promise<ReadonlyMap<string, number>> {
  const { choose, ledger } = stage
  const nextUpheaval = createBag(Object.entries(createFaults(stage)), choose)
  const counts = new Map<string, number>()
  const end = new AbortController()
  const watching = keepLooking(ledger, end.signal)
  try {
    const deadline = Date.now() + duration
    // What is wrong already is worth more than what comes of it.
    for (; ledger.problems.size === 0 && Date.now() < deadline; await sleep(choose(LONGEST_PAUSE))) {
      const [name, upheaval] = choose(UPHEAVALS) === 0 ? (nextUpheaval() ?? []) : []
      if (name === undefined || upheaval === undefined) {
        stage.meddle()
        continue
      }
      await upheaval()
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
  } finally {
    end.abort()
    await watching
  }
  return counts
}

async function keepLooking(ledger: Ledger, signal: AbortSignal): Promise<void> {
  for (; !signal.aborted; await sleep(LOOK_EVERY)) await ledger.look()
}

/** Does something to one facility that is as declared, if there is one that it can be done to. */
function meddle(stage: FaultStage, [name, deed]: readonly [string, StoryAction] | readonly [] = []): void {
  const { broken, choose, declarations, ledger } = stage
  if (name === undefined || deed === undefined) return
  const suiting = declarations.all.filter(
    one =>
      one.isPresent !== (deed.isForAbsent ?? false) &&
      !ledger.isPending(one) &&
      !broken.has(one) &&
      (deed.suits?.(one, stage) ?? true),
  )
  const declared = suiting[choose(suiting.length)]
  if (!declared) return
  const at = Date.now()
  deed.perform(declared, stage)
  ledger.note(declared, name, at, deed)
}

function withDropIn(declared: Declared, text: string): string {
  if (!hasDropIn(declared)) return text
  const manifest = JSON.parse(text)
  const dropIns = { limits: { Service: { MemoryMax: '512M' } } }
  return JSON.stringify({ ...manifest, spec: { ...manifest.spec, config: { systemd: { dropIns } } } })
}
