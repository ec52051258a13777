import { eventually } from '../../src/conformance/eventually.ts'
import { type Choose, createChooser } from './chooser.ts'
import type { Turn } from './turns.ts'

/** What is done to a world. Gives (or promises) `Made`; anything else means done. */
export type RandomAction<World> = (world: World, choose: Choose) => unknown

/** `nothing`: there was nothing to do it to. A function ends what lasts for some turns. */
export type Made = Undo | 'done' | 'nothing'
export type Undo = () => unknown

export type RandomActions<World> = Readonly<Record<string, RandomAction<World>>>

/** A world, what may be done to it, and what has to hold of it meanwhile. */
export interface RandomRun<World> {
  readonly world: World
  readonly actions: RandomActions<World>
  readonly turns: Iterable<Turn>
  /** How often each kind was done: added to. */
  readonly counts?: Map<string, number>
  wait(milliseconds: number): Promise<unknown>
  /** After each turn: what is wrong, a line each. It ends the run: what is wrong already is worth more than what comes of it. */
  findProblems?(): readonly string[]
  /** True: before such an action, all that lasts ends. */
  isAlone?(kind: string): boolean
  /** The world's own way to say no: nothing was done. An end that it refuses is tried again at the next turn. */
  isRefusal?(error: unknown): boolean
}

/** How many turns an action lasts at most that isn't over at once. */
const LONGEST_ACTION = 30

/** In ms: for the end of all that lasts. */
const PATIENCE = 60_000

/** Takes the turns, and ends whatever they have begun. Gives what was wrong. */
export async function takeTurns<World>(run: RandomRun<World>): Promise<readonly string[]> {
  const { world, actions, turns, counts, findProblems = () => [], isAlone = () => false, isRefusal = () => false } = run
  let lasting: { readonly until: number; readonly undo: Undo }[] = []
  let problems: readonly string[] = []
  let count = 0

  /** Gives how many are left. */
  async function endDue(turn: number): Promise<number> {
    const due = lasting.filter(({ until }) => until <= turn)
    lasting = lasting.filter(({ until }) => until > turn)
    for (const one of due) {
      try {
        await one.undo()
      } catch (error) {
        if (!isRefusal(error)) throw error
        lasting.push(one)
      }
    }
    return lasting.length
  }

  async function endAll(): Promise<void> {
    const isOver = async (): Promise<boolean> => (await endDue(Number.POSITIVE_INFINITY)) === 0
    if (!(await isOver())) await eventually('the end of what lasts', isOver, PATIENCE)
  }

  async function perform({ kind, at }: Turn): Promise<unknown> {
    const action = actions[kind]
    if (!action) throw new Error(`expected one of ${Object.keys(actions).join(', ')}, found ${kind}`)
    try {
      return await action(world, createChooser(at))
    } catch (error) {
      if (!isRefusal(error)) throw error
      return 'nothing'
    }
  }

  for (const turn of turns) {
    if (isAlone(turn.kind)) await endAll()
    const made = await perform(turn)
    if (made !== 'nothing') counts?.set(turn.kind, (counts.get(turn.kind) ?? 0) + 1)
    if (typeof made === 'function') {
      lasting.push({ until: count + 1 + createChooser(turn.at)(LONGEST_ACTION), undo: () => made() })
    }
    await endDue(count)
    problems = findProblems()
    if (problems.length > 0) break
    await run.wait(turn.wait)
    count += 1
  }
  await endAll()
  return problems
}
