import type { Command } from 'commander'
import type { ExitCode } from '../cli/command-io.ts'
import { type Completion, candidatesOf, findCompletion, startingWith } from '../cli/completion-candidates.ts'
import { completionScript } from '../cli/completion-script.ts'
import { type CommandContext, openCommandSession } from '../cli/context.ts'
import { createLog } from '../cli/logger.ts'

/** The script that a shell loads. */
export async function completion(context: CommandContext, shell: string): Promise<ExitCode> {
  context.out.write(completionScript(shell))
  return 0
}

/** What the script asks at each Tab: a line for each candidate. Never fails: a shell has no use for errors here. */
export async function complete(context: CommandContext, program: Command, words: readonly string[]): Promise<ExitCode> {
  const found = findCompletion(program, words)
  const completion = startingWith(words.at(-1) ?? '', await lookUp(context, found, words).catch(() => candidatesOf([])))
  if (completion.type !== 'candidates') context.out.write(`:${completion.type}\n`)
  else context.out.write(completion.candidates.map(({ text, description }) => `${text}\t${description}\n`).join(''))
  return 0
}

async function lookUp(context: CommandContext, completion: Completion, words: readonly string[]): Promise<Completion> {
  if (completion.type === 'facilities') {
    const globals = { ...context.globals, ...flagValues(words) }
    const log = createLog('silent', context.err)
    const session = await openCommandSession({ ...context, globals }, flagValue(words, '--manifests'), log)
    const { validate } = await import('../engine/validation.ts')
    const { facilities } = await validate(session)
    return candidatesOf(facilities.map(({ name, supervisor }) => [name, supervisor]))
  }
  if (completion.type === 'fields') {
    const { fieldCandidates } = await import('./explain.ts')
    return candidatesOf(fieldCandidates(words.at(-1) ?? ''))
  }
  return completion
}

function flagValues(words: readonly string[]): { config?: string; stateDir?: string } {
  const config = flagValue(words, '--config')
  const stateDir = flagValue(words, '--state-dir')
  return { ...(config !== undefined && { config }), ...(stateDir !== undefined && { stateDir }) }
}

function flagValue(words: readonly string[], flag: string): string | undefined {
  const index = words.indexOf(flag)
  return index < 0 ? undefined : words[index + 1]
}
