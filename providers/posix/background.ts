import { basename } from 'node:path'

/** Environment variable of each run whose value identifies the run's processes wherever they are. */
export const markVariable = 'REEVE_RUN'

/** Hint on how most programs are told to stay in the foreground. */
export const foregroundHint = 'look for an option such as -f, --foreground, --no-daemon, or daemon off'

/** Message about a program that daemonized, the same under each supervisor. */
export function describeBackground(command: readonly string[]): string {
  const program = basename(command[0] ?? '') || 'the program'
  return `${program} put itself in the background, and was ended there; this supervisor needs it in the foreground (${foregroundHint})`
}
