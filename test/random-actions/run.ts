import { eventually } from '../../src/conformance/eventually.ts'
import { type Choose, createChooser } from './chooser.ts'
import type { Turn } from './turns.ts'

/** Action on a world. Returns (or promises) `Made`; any other value means done. */
export type RandomAction<World> = (world: World, choose: Choose) => unknown

/** `nothing`: it had no target. A function ends an action that lasts for some turns. */
export type Made = Undo | 'done' | 'nothing'
export type Undo = () => unknown

export type RandomActions<World> = Readonly<Record<string, RandomAction<World>>>

/** World, with its possible actions and its invariants. */
export interface RandomRun<World> {
  readonly world: World
  readonly actions: RandomActions<World>
  readonly turns: Iterable<Turn>
  /** Number of times that each kind was done: counted up. */
  readonly counts?: Map<string, number>
  wait(milliseconds: number): Promise<unknown>
  /** Problems after each turn, a line each. They end the run: the first problem is worth more than its consequences. */
  findProblems?(): readonly string[]
  /** True: all lasting actions end before such an action. */
  isAlone?(kind: string): boolean
  /** Error by which the world refuses: nothing was done. A refused end is retried at the next turn. */
  isRefusal?(error: unknown): boolean
}

/** Largest number of turns that a lasting action takes. */
const LONGEST_ACTION = 30

/** Timeout in ms for the end of all lasting actions. */
const PATIENCE = 60_000

/** Takes the turns, and ends whatever they have begun. Returns the problems. */
export async function takeTurns<World>(run: RandomRun<World>): Promise<readonly string[]> {
  const { world, actions, turns, counts, findProblems = () => [], isAlone = () => false, isRefusal = () => false } = run
  let lasting: { readonly until: number; readonly undo: Undo }[] = []
  let problems: readonly string[] = []
  let count = 0

  /** Returns how many are left. */
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
