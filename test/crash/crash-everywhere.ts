import { setTimeout as sleep } from 'node:timers/promises'
import { inspect, isDeepStrictEqual } from 'node:util'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import type { Sample } from '../runner/sample.ts'
import { bundleProgram } from '../tools/bundled-program.ts'
import { type CrashHost, createCrashHost, type Look, type Moments, type Place, type Revision } from './crash-host.ts'

/** A host that looks the same for so long (ms) is at rest; it may take so long (ms) to get there. */
const REST = 3_000
const PATIENCE = 10_000

/** From one revision to the next; the steps between are interrupted. */
export interface CrashScenario {
  readonly name: string
  before(place: Place): Revision
  after(place: Place): Revision
  /** True: the second revision can't be applied. An undisturbed apply says so too, and its end is the reference. */
  readonly fails?: boolean
}

export interface CrashReport {
  /** Number of moments at which it could have been killed. */
  readonly moments: number
  /** Number of times that an apply was killed and repeated. */
  readonly points: number
  /** One line for each that ended differently from the undisturbed one. */
  readonly failures: readonly string[]
}

/** Default: every moment. */
export interface CrashOptions extends Partial<Sample> {
  /** Number of hosts at once: a crash is mostly waiting. */
  readonly hosts?: number
  readonly moments?: Moments
}

/**
 * E4: kills `apply` before and after each of its effects, applies again, and compares the end with the undisturbed one. For
 * any provider: it takes its conformance harness, and nothing else.
 */
export async function crashEverywhere(
  harness: ConformanceHarness,
  scenario: CrashScenario,
  { hosts = 4, moments: which = 'all', stride = 1, first = 1 }: CrashOptions = {},
): Promise<CrashReport> {
  using child = await bundleProgram(new URL('apply-child.ts', import.meta.url))
  const createHost = (): Promise<CrashHost> => createCrashHost(harness, child.path)
  const { moments, end } = await goUndisturbed(createHost, scenario, which)
  const failures: string[] = []
  let points = 0
  const open = Array.from({ length: Math.ceil((moments - first + 1) / stride) }, (_, index) => first + index * stride)

  async function work(): Promise<void> {
    let host: CrashHost | undefined
    for (let moment = open.shift(); moment !== undefined; moment = open.shift()) {
      host ??= await createHost()
      const failure = await crashAt(host, scenario, { moment, which, end })
      points += 1
      if (failure === undefined) continue
      failures.push(`moment ${moment} of ${moments}: ${failure}`)
      // A problem found once must not be reported at the next moment as well.
      await host[Symbol.asyncDispose]()
      host = undefined
    }
    await host?.[Symbol.asyncDispose]()
  }

  await Promise.all(Array.from({ length: hosts }, work))
  return { moments, points, failures }
}

async function goUndisturbed(
  createHost: () => Promise<CrashHost>,
  scenario: CrashScenario,
  which: Moments,
): Promise<{ moments: number; end: Look }> {
  await using host = await createHost()
  host.declare(scenario.before(host.place))
  await host.apply()
  host.declare(scenario.after(host.place))
  const outcome = await host.applyAndDie(0, which)
  if (!('moments' in outcome)) throw new Error('it died though nobody asked for it')
  const { moments, problems } = outcome
  const fails = scenario.fails ?? false
  if ((problems !== undefined) !== fails) throw new Error(`undisturbed, it came to: ${problems ?? 'no failure'}`)
  const end = await lookAtRest(host)
  if (!fails && end.plan.length > 0) throw new Error(`undisturbed, this was left to do: ${end.plan.join(', ')}`)
  return { moments, end }
}

async function lookAtRest(host: CrashHost): Promise<Look> {
  for (let before = await host.look(); ; ) {
    await sleep(REST)
    const now = await host.look()
    if (isDeepStrictEqual(now, before)) return now
    before = now
  }
}

async function crashAt(
  host: CrashHost,
  scenario: CrashScenario,
  { moment, which, end }: { readonly moment: number; readonly which: Moments; readonly end: Look },
): Promise<string | undefined> {
  let at = 'not reached'
  try {
    host.declare(scenario.before(host.place))
    await host.apply()
    host.declare(scenario.after(host.place))
    const outcome = await host.applyAndDie(moment, which)
    if ('died' in outcome) at = outcome.died
    await host.apply(scenario.fails)
    let found = await host.look()
    // A supervisor cleans up after a service, and may end after its last one, in its own time.
    for (const deadline = Date.now() + PATIENCE; Date.now() < deadline && !isDeepStrictEqual(found, end); ) {
      await sleep(50)
      found = await host.look()
    }
    return findDifference(found, end, at)
  } catch (error) {
    return `${at}: ${error instanceof Error ? error.message : String(error)}`
  }
}

function findDifference(found: Look, end: Look, at: string): string | undefined {
  for (const key of ['plan', 'services', 'processes', 'owned', 'files', 'remembered', 'paths'] as const) {
    if (isDeepStrictEqual(found[key], end[key])) continue
    return `${at}: ${key} differ: expected ${show(end[key])}, found ${show(found[key])}`
  }
  return undefined
}

function show(value: unknown): string {
  return inspect(value, { depth: 6, breakLength: Number.POSITIVE_INFINITY })
}
