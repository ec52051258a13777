import { readFileSync, writeFileSync } from 'node:fs'

/** The name of this process, as ps and /proc/PID/comm have it; of 15 bytes at most. */
const path = '/proc/self/comm'

/**
 * Has this process called `name` while the sign is shown, and as it was called before while it isn't: it can be seen by all who may
 * look at the process, and takes no room on any disk. Throws where /proc can't be written.
 */
export function createProcessSign(name: string): (isShown: boolean) => void {
  let before: string | undefined
  return isShown => {
    if (isShown === (before !== undefined)) return
    // With a newline it would be part of the name.
    const own = readFileSync(path, 'utf8').trimEnd()
    writeFileSync(path, before ?? name)
    before = isShown ? own : undefined
  }
}
