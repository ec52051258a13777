import { AssertionError } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../src/conformance/eventually.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { reevePath } from '../labs/cli-fixture.ts'
import { findDoubled, readUsage, type Usage } from '../random-actions/census.ts'
import { createDeclarations, type Declared } from '../random-actions/declarations.ts'
import { type RandomActions, takeTurns } from '../random-actions/run.ts'
import type { TurnLog } from '../random-actions/turns.ts'
import { findDifferences, findSupervisorDifferences, isSaidToBeSettled } from '../random-actions/world-check.ts'
import { diskActions, hostActions, killActions, type SoakWorld } from './actions.ts'
import type { SoakHost } from './soak-host.ts'

export interface SoakOptions {
  /** Duration of the random actions. */
  readonly seconds: number
  readonly log: TurnLog
  readonly facilities: number
}

export interface SoakOutcome {
  /** Number of times that each was done. */
  readonly actions: ReadonlyMap<string, number>
  readonly leftOut: readonly string[]
  /** Actions that chance never chose, or that never had a target. */
  readonly neverMade: readonly string[]
  /** Problems: none, ideally. */
  readonly problems: readonly string[]
  /** Time from the end of the actions until the host was as declared, in ms, after each of the two phases. */
  readonly convergence: readonly number[]
  /** Before and after the phase in which neither was killed. */
  readonly usage: { readonly controller: readonly Usage[]; readonly supervisor: readonly Usage[] }
  /** Number of times that the controller could not continue, and was restarted by its service manager. */
  readonly endings: number
  /** Readable entries. */
  readonly history: number
}

/** Pause between two actions, in ms. */
const LONGEST_PAUSE = 120
/** A phase lasts at most so many times as long, until each action has been taken. */
const LONGEST_STRETCH = 4
/** Number of measurements of their resources, some ms apart. */
const AT_REST = 50

/**
 * The controller with many facilities under random actions of all kinds, in two phases: first it and the supervisor are killed too,
 * then not, so that their resources can be compared. After each the actions end, and the host has to become as declared.
 */
export async function soak(host: SoakHost, { seconds, log, facilities }: SoakOptions): Promise<SoakOutcome> {
  const declarations = createDeclarations(facilities, host)
  for (const declared of declarations.all) declarations.write(declared)
  const world: SoakWorld = { host, declarations }
  const counts = new Map<string, number>()
  const problems = new Set<string>()
  const convergence: number[] = []
  const controller: Usage[] = []
  const supervisor: Usage[] = []

  // Repeated failures are waited for longer: twice as long each time, and five minutes at most.
  const patience = Math.min(300, 2 * seconds) * 1_000 + 30_000
  async function comeToRest(): Promise<void> {
    const began = Date.now()
    const findRest = (): Promise<readonly string[]> => listDifferences(host, declarations.all).catch(tellRefusal)
    const isAsDeclared = async (): Promise<boolean> => {
      const isSaid = await isSaidToBeSettled(host, declarations.all).catch(error => tellRefusal(error).length === 0)
      return isSaid && (await findRest()).length === 0
    }
    await eventually('the world to be as declared', isAsDeclared, patience).catch(async error => {
      if (!(error instanceof AssertionError)) throw error
      const rest = await findRest()
      // It may have converged at this very moment, and that was too late.
      for (const one of rest.length > 0 ? rest : [error.message]) problems.add(`${one}\n${await explain(host, one)}`)
    })
    convergence.push(Date.now() - began)
  }
  async function measure(): Promise<void> {
    // Current output and writes are no growth: the least of several measurements counts.
    const seen: (readonly [Usage, Usage])[] = []
    const isAtRest = (): boolean => {
      const [first, second] = [host.controllerPid(), host.supervisorPid()].map(pid => readUsage(pid ?? Number.NaN))
      if (first && second) seen.push([first, second])
      return seen.length >= AT_REST
    }
    await eventually('some looks', isAtRest, 30_000)
    const least = (which: 0 | 1): Usage => ({
      memory: Math.min(...seen.map(usage => usage[which].memory)),
      descriptors: Math.min(...seen.map(usage => usage[which].descriptors)),
    })
    controller.push(least(0))
    supervisor.push(least(1))
  }
  const stretch = async (actions: RandomActions<SoakWorld>, share: number): Promise<void> => {
    // The first problem is worth more than its consequences.
    if (problems.size > 0) return
    const [began, duration, made] = [Date.now(), seconds * share * 1_000, new Map<string, number>()]
    const isOver = (): boolean => {
      const spent = Date.now() - began
      // On a busy machine each action takes its time, and yet all are to occur.
      return spent >= duration && (made.size === Object.keys(actions).length || spent >= LONGEST_STRETCH * duration)
    }
    const groups = [{ kinds: Object.keys(actions), weight: 1 }]
    const turns = log.nextStretch({ groups, longestWait: LONGEST_PAUSE, isOver })
    const findProblems = () => findDoubled(host.marker).map(one => `doubled for a while: ${one}`)
    const found = await takeTurns({ world, actions, turns, counts: made, wait: sleep, findProblems, isRefusal })
    for (const one of found) problems.add(one)
    for (const [kind, times] of made) counts.set(kind, (counts.get(kind) ?? 0) + times)
    await comeToRest()
  }

  host.startController()
  await comeToRest()
  const gentle: RandomActions<SoakWorld> = { ...hostActions, ...(host.hasOwnDisk ? diskActions : {}) }
  await stretch({ ...gentle, ...killActions }, 0.5)
  // The first steps after a start take memory that stays.
  await stretch(gentle, 0.2)
  await measure()
  await stretch(gentle, 0.3)
  await measure()
  const history = countHistory(host)
  const leftOut = host.hasOwnDisk ? [] : Object.keys(diskActions)
  return {
    actions: counts,
    leftOut,
    neverMade: Object.keys({ ...gentle, ...killActions }).filter(name => !counts.has(name)),
    problems: [...problems],
    convergence,
    usage: { controller, supervisor },
    endings: host.endings(),
    history,
  }
}

/** A line each. */
async function listDifferences(host: SoakHost, all: readonly Declared[]): Promise<string[]> {
  const differences = await findDifferences(host, all)
  const lines = [...differences].flatMap(([name, problems]) => problems.map(problem => `${name}: ${problem}`))
  return [...lines, ...findSupervisorDifferences(host, all)]
}

/** The controller may refuse, or not be there: on a full disk nothing can be suspended. Or what it was to be done to has just gone. */
function isRefusal(error: unknown): boolean {
  return error instanceof ReeveError || (error instanceof Error && 'code' in error && error.code === 'ENOENT')
}

/** As a person reads it. Throws if it is unreadable. */
function countHistory({ directory }: SoakHost): number {
  const args = [reevePath, 'history', '-o', 'json', '--config', 'reeve.yaml']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: directory,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (status !== 0) throw new Error(`the history can't be read: ${stderr}`)
  const { entries }: { entries: readonly unknown[] } = JSON.parse(stdout)
  return entries.length
}

/** A controller that has only just been started doesn't answer. */
function tellRefusal(error: unknown): readonly string[] {
  if (error instanceof ReeveError) return [`controller: ${error.message}`]
  throw error
}

/** Current and last messages of the controller about the facility. */
async function explain(host: SoakHost, difference: string): Promise<string> {
  const [name = ''] = difference.split(':')
  const status = await host
    .control()
    .then(control => control.status(name))
    .catch(tellRefusal)
  const lines = host.log().trimEnd().split('\n')
  const own = lines.filter(line => line.includes(name))
  return [JSON.stringify(status), ...(own.length > 0 ? own : lines).slice(-12)].join('\n')
}
