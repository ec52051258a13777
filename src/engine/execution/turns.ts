/** Runs tasks one after another, in the order of the calls; an error of one concerns no other. */
export type Turns = <T>(task: () => Promise<T>) => Promise<T>

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  return task => {
    const mine = last.then(task)
    last = mine.catch(() => {})
    return mine
  }
}
