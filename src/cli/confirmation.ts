import { createInterface } from 'node:readline/promises'
import { ReeveError } from '../core/reeve-error.ts'
import type { CommandContext } from './context.ts'

/**
 * Asks for confirmation; anything but yes is no, and so is the signal. Throws ReeveError `usage` with `otherwise` without a terminal.
 */
export async function confirm(
  question: string,
  otherwise: string,
  { io, err }: CommandContext,
  signal?: AbortSignal,
): Promise<boolean> {
  if (!io.stdin.isTTY || !io.stderr.isTTY)
    throw new ReeveError('usage', `no terminal to ask for confirmation; ${otherwise}`)
  err.write(`${question} [y/N] `)
  const lines = createInterface({ input: io.stdin })
  const close = (): void => lines.close()
  signal?.addEventListener('abort', close, { once: true })
  try {
    for await (const answer of lines) return /^y(es)?$/i.test(answer.trim())
    return false
  } finally {
    signal?.removeEventListener('abort', close)
    lines.close()
  }
}
