import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { reevePath } from '../labs/cli-fixture.ts'
import { createChooser } from '../random-actions/chooser.ts'
import { takeTurns } from '../random-actions/run.ts'
import type { TurnLog } from '../random-actions/turns.ts'
import { commitActions } from './actions.ts'
import { findUntruths, findViolations, type Record } from './commits.ts'
import type { CommitWorld } from './world.ts'

export interface CommitStoryOutcome {
  /** Number of times that each was done. */
  readonly actions: ReadonlyMap<string, number>
  readonly neverMade: readonly string[]
  readonly records: readonly Record[]
  readonly problems: readonly string[]
}

/** Pause between two actions, in ms. */
const LONGEST_PAUSE = 600
/** It lasts at most so many times as long, until each action has been taken. */
const LONGEST_STRETCH = 1.5

/** People commit, and everything is killed: what is in force stays the last good and trusted revision, and Reeve tells the truth. */
export async function tellCommitStory(
  world: CommitWorld,
  { seconds, log }: { readonly seconds: number; readonly log: TurnLog },
): Promise<CommitStoryOutcome> {
  const { host, deeds, problems } = world
  const counts = new Map<string, number>()
  host.startController()
  await world.settle()
  // There is a way back from the beginning.
  await commitActions['commit: good']?.(world, createChooser(0))
  await world.settle()
  const began = Date.now()
  const isOver = (): boolean => {
    const spent = Date.now() - began
    const isWhole = counts.size === Object.keys(commitActions).length
    return spent >= seconds * 1_000 && (isWhole || spent >= LONGEST_STRETCH * seconds * 1_000)
  }
  const kinds = Object.keys(commitActions)
  const groups = [
    { kinds, weight: 3 },
    // Much else needs a branch that can be trusted.
    { kinds: kinds.filter(kind => /good|^fix/.test(kind)), weight: 2 },
    { kinds: kinds.filter(kind => kind.endsWith('killed')), weight: 1 },
  ]
  const turns = log.nextStretch({ groups, longestWait: LONGEST_PAUSE, isOver })
  const findProblems = () => [...problems, ...findViolations(deeds, world.records())]
  const isRefusal = (error: unknown): boolean => error instanceof ReeveError
  const found = await takeTurns({ world, actions: commitActions, turns, counts, wait: sleep, findProblems, isRefusal })
  await world.settle()
  const { revisions } = readAsPerson(host.directory, ['revisions'])
  const records: readonly Record[] = revisions
  const whole = new Set([...found, ...problems, ...findUntruths(deeds, records)])
  if (deeds.tip.isTrusted) {
    const { status, stdout, stderr } = reeve(host.directory, ['plan', '--detailed-exitcode'])
    if (status !== 0) whole.add(`reeve plan --detailed-exitcode gave ${status}: ${stdout}${stderr}`)
  }
  return { actions: counts, neverMade: kinds.filter(kind => !counts.has(kind)), records, problems: [...whole] }
}

function readAsPerson(directory: string, args: readonly string[]) {
  const { status, stdout, stderr } = reeve(directory, [...args, '-o', 'json'])
  if (status !== 0) throw new Error(`reeve ${args.join(' ')} gave ${status}: ${stderr}`)
  return JSON.parse(stdout)
}

function reeve(directory: string, args: readonly string[]) {
  const command = [reevePath, ...args, '--config', 'reeve.yaml']
  return spawnSync(process.execPath, command, { cwd: directory, encoding: 'utf8' })
}
