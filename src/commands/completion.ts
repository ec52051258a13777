import type { Command } from 'commander'
import type { ExitCode } from '../cli/command-io.ts'
import { type Completion, candidatesOf, findCompletion, splitFlag, startingWith } from '../cli/completion-candidates.ts'
import { completionScript } from '../cli/completion-script.ts'
import { type CommandContext, openCommandSession, openLog } from '../cli/context.ts'
import { namedDirectory } from '../cli/named-directory.ts'
import { findHostingRefusal } from '../core/contracts/hosting.ts'
import type { Session } from '../engine/session/session.ts'
import type { ManifestSet } from '../manifest/manifest-set.ts'

/** The script that a shell loads. */
export async function completion(context: CommandContext, shell: string): Promise<ExitCode> {
  context.out.writeExact(completionScript(shell))
  return 0
}

/** Answers a completion script: a line for each candidate. Never fails, as a shell has no use for errors here. */
export async function complete(context: CommandContext, program: Command, typed: readonly string[]): Promise<ExitCode> {
  const { words, prefix } = splitFlag(
    program,
    typed.map(word => unquote(word, context.io.env.HOME)),
  )
  const found = findCompletion(program, words)
  const completion = startingWith(words.at(-1) ?? '', await lookUp(context, found, words).catch(() => candidatesOf([])))
  if (completion.type !== 'candidates') context.out.write(`:${completion.type}\n`)
  else context.out.write(completion.candidates.map(each => `${prefix}${each.text}\t${each.description}\n`).join(''))
  return 0
}

/** Removes a shell's quotes and backslashes from a word, which may be unfinished. Evaluates nothing. */
function unquote(word: string, home = '~'): string {
  const quoted = /\\(.)|'([^']*)'?|"((?:\\.|[^"\\])*)"?/gs
  return word.replace(/^~(?=\/)/, home).replace(quoted, (_all, escaped?: string, single?: string, double?: string) => {
    return escaped ?? single ?? (double ?? '').replace(/\\(["\\$`])/g, '$1')
  })
}

async function lookUp(context: CommandContext, completion: Completion, words: readonly string[]): Promise<Completion> {
  if (completion.type === 'facilities' || completion.type === 'supervisors') {
    const globals = { ...context.globals, ...flagValues(words) }
    const log = openLog(context, { level: 'silent' })
    const session = await openCommandSession(
      { ...context, globals },
      namedDirectory(undefined, flagValue(words, '--manifests')),
      log,
    )
    const { validate } = await import('../engine/refresh/validation.ts')
    const { facilities, supervisors } = await validate(session)
    if (completion.type === 'supervisors') return candidatesOf(hostsAmong(session, supervisors))
    return candidatesOf(facilities.map(({ name, supervisor }) => [name, supervisor]))
  }
  if (completion.type === 'fields') {
    const { fieldCandidates, loadNativeSchemas } = await import('./explain.ts')
    const globals = { ...context.globals, ...flagValues(words) }
    const schemas = await loadNativeSchemas({ ...context, globals }, openLog(context, { level: 'silent' }))
    return candidatesOf(fieldCandidates(words.at(-1) ?? '', schemas))
  }
  return completion
}

/** Supervisors that can run the controller: declared ones, and default ones by their types. */
function hostsAmong({ providers }: Session, declared: ManifestSet['supervisors']): [name: string, type: string][] {
  const types = new Map([...providers.keys()].map(type => [type, type]))
  for (const { name, type } of declared) types.set(name, type)
  return [...types].filter(([, type]) => findHostingRefusal(providers.get(type)) === undefined)
}

function flagValues(words: readonly string[]): { config?: string; stateDir?: string } {
  const config = flagValue(words, '--config')
  const stateDir = flagValue(words, '--state-dir')
  return { ...(config !== undefined && { config }), ...(stateDir !== undefined && { stateDir }) }
}

function flagValue(words: readonly string[], flag: string): string | undefined {
  const joined = words.find(word => word.startsWith(`${flag}=`))
  if (joined !== undefined) return joined.slice(flag.length + 1)
  const index = words.indexOf(flag)
  return index < 0 ? undefined : words[index + 1]
}
