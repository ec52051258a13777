import { basename } from 'node:path'

/** In the environment of each run: by its value, its processes are known wherever they are. */
export const markVariable = 'REEVE_RUN'

/** How most programs are told to stay where they are. */
export const foregroundHint = 'look for an option such as -f, --foreground, --no-daemon, or daemon off'

/** What a person is told of a program that has left its supervisor: the same words under each. */
export function describeBackground(command: readonly string[]): string {
  const program = basename(command[0] ?? '') || 'the program'
  return `${program} put itself in the background, and was ended there; this supervisor needs it in the foreground (${foregroundHint})`
}
