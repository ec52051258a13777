import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../src/conformance/lab.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import type { HistoryEntry } from '../../src/engine/history.ts'
import { findDoubled } from '../soak/census.ts'
import { createChooser } from '../soak/chooser.ts'
import { createDeclarations, type Declared } from '../soak/declarations.ts'
import { type Differences, findDifferences } from '../soak/world-check.ts'
import { type Chronicle, type Done, findUntruths, isTold } from './chronicle.ts'
import { type Deed, deeds, hasDropIn, type Stage, tellsOfNew } from './deeds.ts'
import { findLeftovers, placeBystander } from './leftovers.ts'
import type { StoryHost } from './story-host.ts'

export interface StoryOptions {
  /** How long things are done behind Reeve's back. */
  readonly seconds: number
  readonly seed: number
  readonly facilities: number
}

export interface StoryOutcome {
  readonly chronicle: Chronicle
  readonly history: readonly HistoryEntry[]
  /** What was done to the host as a whole, and how often. */
  readonly upheavals: ReadonlyMap<string, number>
  /** From the deed until all was as declared again, in ms. */
  readonly settled: ReadonlyMap<Done, number>
  /** What is not as it should be: nothing, one hopes. */
  readonly problems: readonly string[]
}

/** Within so many ms all has to be as declared again after a deed: the resync, twice over, on a machine that is slow. */
const BOUND = 60_000
/** Between two deeds, in ms. */
const LONGEST_PAUSE = 150
/** One deed in so many is done to the host as a whole. */
const UPHEAVALS = 15

/** Reeve is installed, keeps its services as declared for as long as somebody meddles with them, and tells of it truly. */
export async function tellStory(host: StoryHost, { seconds, seed, facilities }: StoryOptions): Promise<StoryOutcome> {
  const choose = createChooser(seed)
  const declarations = createDeclarations(facilities, host)
  const { all } = declarations
  /** Whose manifest is broken just now. */
  const broken = new Set<Declared>()
  const publish = (): void => {
    const present = all.filter(({ isPresent }) => isPresent)
    const texts = present.map(one => {
      const text = withDropIn(one, declarations.textOf(one))
      return [`${one.name}.yaml`, broken.has(one) ? text.slice(0, -2) : text] as const
    })
    host.publish(new Map(texts))
  }
  const stage: Stage = { host, declarations, choose, publish }
  const pending = new Map<Declared, Done>()
  const done: Done[] = []
  const settled = new Map<Done, number>()
  const problems = new Set<string>()
  const upheavals = new Map<string, number>()
  const reexecutions: number[] = []
  const bystander = placeBystander(host)

  function note(
    declared: Declared,
    deed: string,
    at: number,
    { tells, mayTell = [] }: Pick<Deed, 'tells' | 'mayTell'>,
  ) {
    const one: Done = { facility: declared.name, deed, at, tells: tells(declared), mayTell }
    done.push(one)
    pending.set(declared, one)
  }

  /** Sees which deeds have been put right. */
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
        problems.add(`${one.deed}, ${one.facility}: not put right within ${BOUND} ms: ${what}`)
        pending.delete(declared)
      }
    }
  }

  async function settle(): Promise<void> {
    while (pending.size > 0) {
      await look()
      await sleep(20)
    }
  }

  function doSomething(): void {
    const names = Object.keys(deeds)
    const name = names[choose(names.length)] ?? ''
    const deed = deeds[name]
    const free = all.filter(
      one => !pending.has(one) && !broken.has(one) && one.isPresent !== (deed?.isForAbsent ?? false),
    )
    const suiting = free.filter(one => deed?.suits?.(one, stage) ?? true)
    const declared = suiting[choose(suiting.length)]
    if (!deed || !declared) return
    const at = Date.now()
    deed.perform(declared, stage)
    note(declared, name, at, deed)
  }

  const hostDeeds: Readonly<Record<string, () => Promise<void> | void>> = {
    'systemd reloaded': () => void host.systemctl('daemon-reload'),
    'systemd executed anew'() {
      reexecutions.push(Date.now())
      host.systemctl('daemon-reexec')
    },
    /** When nothing is under way: a step that was done and not written down yet would be missing. What comes next finds it dead. */
    async 'controller killed'() {
      await settle()
      // It may still be on its way up from the last time.
      host.tell('kill', '--kill-whom=main', '--signal=KILL', 'reeve')
    },
    async 'reeve install again'() {
      const { exitCode, stdout, stderr } = await host.reeve(['install'])
      if (exitCode !== 0 || !stdout.includes('No changes.')) problems.add(`install again: ${stdout}${stderr}`)
    },
    async 'a revision that is not valid'() {
      const free = all.filter(one => one.isPresent && !pending.has(one))
      const declared = free[choose(free.length)]
      if (!declared) return
      broken.add(declared)
      publish()
      for (let turn = choose(10); turn >= 0; turn -= 1) doSomething()
      broken.delete(declared)
      publish()
    },
  }

  publish()
  for (const declared of all) note(declared, 'declared', Date.now(), { tells: tellsOfNew })
  const installed = await host.reeve(['install'])
  if (installed.exitCode !== 0) throw new Error(`reeve install failed: ${installed.stdout}${installed.stderr}`)
  await settle()

  const end = new AbortController()
  const watching = (async () => {
    while (!end.signal.aborted) {
      await look()
      await sleep(20)
    }
  })()
  // What is wrong already is worth more than what comes of it.
  const deadline = Date.now() + seconds * 1_000
  for (; problems.size === 0 && Date.now() < deadline; await sleep(choose(LONGEST_PAUSE))) {
    if (choose(UPHEAVALS) > 0) {
      doSomething()
      continue
    }
    const names = Object.keys(hostDeeds)
    const name = names[choose(names.length)] ?? ''
    await hostDeeds[name]?.()
    upheavals.set(name, (upheavals.get(name) ?? 0) + 1)
  }
  end.abort()
  await watching
  await settle()

  let rest: Differences = new Map()
  await eventually(
    'the world to be as declared',
    async () => {
      rest = await findDifferences(host, all).catch(tellRefusal)
      return rest.size === 0
    },
    BOUND,
  ).catch(() => {})
  for (const [name, wrong] of rest) for (const one of wrong) problems.add(`at the end: ${name}: ${one}`)
  for (const one of findLeftovers(all, done, bystander, host)) problems.add(one)
  const chronicle: Chronicle = { done, upheavals: reexecutions }
  const history = host.history()
  for (const one of findUntruths(chronicle, history)) problems.add(one)
  return { chronicle, history, upheavals, settled, problems: [...problems] }
}

function withDropIn(declared: Declared, text: string): string {
  if (!hasDropIn(declared)) return text
  const manifest = JSON.parse(text)
  const dropIns = { limits: { Service: { MemoryMax: '512M' } } }
  return JSON.stringify({ ...manifest, spec: { ...manifest.spec, config: { systemd: { dropIns } } } })
}

/** A controller that has only just been killed doesn't answer. */
function tellRefusal(error: unknown): Differences {
  if (error instanceof ReeveError) return new Map([['controller', [error.message]]])
  throw error
}
