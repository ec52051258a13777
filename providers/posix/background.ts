import { basename } from 'node:path'

/** What a person is told of a program that has left its supervisor: the same words under each. */
export function describeBackground(command: readonly string[]): string {
  const program = basename(command[0] ?? '') || 'the program'
  return `${program} put itself in the background, and was ended there; this supervisor needs it in the foreground (look for an option such as -f, --foreground, --no-daemon, or daemon off)`
}
