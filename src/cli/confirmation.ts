import { createInterface } from 'node:readline/promises'
import { ReeveError } from '../core/reeve-error.ts'
import type { CommandContext } from './context.ts'

/** Asks for confirmation; anything but yes is no. Throws ReeveError `usage` with `otherwise` without a terminal. */
export async function confirm(question: string, otherwise: string, { io, err }: CommandContext): Promise<boolean> {
  if (!io.stdin.isTTY || !io.stderr.isTTY)
    throw new ReeveError('usage', `no terminal to ask for confirmation; ${otherwise}`)
  err.write(`${question} [y/N] `)
  const lines = createInterface({ input: io.stdin })
  try {
    for await (const answer of lines) return /^y(es)?$/i.test(answer.trim())
    return false
  } finally {
    lines.close()
  }
}
