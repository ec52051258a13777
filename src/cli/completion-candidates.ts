import type { Argument, Command, Option } from 'commander'

export interface Candidate {
  readonly text: string
  readonly description: string
}

/** What may come next; the caller looks up `facilities` and the like. */
export type Completion =
  | { readonly type: 'candidates'; readonly candidates: readonly Candidate[] }
  | { readonly type: 'files' | 'directories' | 'facilities' | 'fields' | 'supervisors' }

const fileFlags: ReadonlySet<string> = new Set(['config', 'plan', 'out', 'tokenFile', 'knownHosts', 'signers'])

const nothing: Completion = { type: 'candidates', candidates: [] }

/** What may stand in place of the last of `words`, from commander's own tree. `words` are those after `reeve`. */
export function findCompletion(program: Command, words: readonly string[]): Completion {
  const before = words.slice(0, -1)
  const current = words.at(-1) ?? ''
  const command = findCommand(program, before)
  const options = visibleOptions(program, command)
  const pending = pendingOption(options, before)
  if (pending) return startingWith(current, completeValue(pending.argChoices, pending.attributeName()))
  if (current.startsWith('-')) {
    return startingWith(current, candidatesOf(options.map(option => [option.long ?? '', option.description])))
  }
  if (command === program) {
    const visible = program.createHelp().visibleCommands(program)
    return startingWith(current, candidatesOf(visible.map(each => [each.name(), each.description()])))
  }
  const argument = nextArgument(command, operands(before, options).length - 1)
  if (!argument) return nothing
  if (command.name() === 'help') {
    const visible = program.createHelp().visibleCommands(program)
    return startingWith(current, candidatesOf(visible.map(each => [each.name(), each.description()])))
  }
  return startingWith(current, completeValue(argument.argChoices, argument.name()))
}

/** Splits `--flag=value` in two words. `prefix` is `--flag=`, which candidates lack. */
export function splitFlag(
  program: Command,
  words: readonly string[],
): { readonly words: readonly string[]; readonly prefix: string } {
  const before = words.slice(0, -1)
  const [, flag = '', value = ''] = /^(--[^=]+)=(.*)$/s.exec(words.at(-1) ?? '') ?? []
  const options = visibleOptions(program, findCommand(program, before))
  if (!options.some(option => isValueFlag(option, flag))) return { words, prefix: '' }
  return { words: [...before, flag, value], prefix: `${flag}=` }
}

export function startingWith(prefix: string, completion: Completion): Completion {
  if (completion.type !== 'candidates') return completion
  return { type: 'candidates', candidates: completion.candidates.filter(({ text }) => text.startsWith(prefix)) }
}

export function candidatesOf(pairs: readonly (readonly [text: string, description: string])[]): Completion {
  return { type: 'candidates', candidates: pairs.map(([text, description]) => ({ text, description })) }
}

/** Candidates by the name of an argument or option, which the command tree keeps uniform. */
function completeValue(choices: readonly string[] | undefined, name: string): Completion {
  if (choices) return candidatesOf(choices.map(choice => [choice, '']))
  if (name === 'NAME') return { type: 'facilities' }
  if (name === 'supervisor') return { type: 'supervisors' }
  if (name === 'FIELD.PATH') return { type: 'fields' }
  if (name === 'DIR' || name === 'stateDir' || name === 'manifests') return { type: 'directories' }
  if (fileFlags.has(name)) return { type: 'files' }
  return nothing
}

function findCommand(program: Command, before: readonly string[]): Command {
  const [name] = operands(before, program.options)
  return program.commands.find(command => command.name() === name) ?? program
}

function visibleOptions(program: Command, command: Command): readonly Option[] {
  const help = program.createHelp()
  const own = help.visibleOptions(command)
  return command === program
    ? own
    : [...own, ...program.options.filter(option => option.long !== '--version' && !option.hidden)]
}

/** The option whose value the word under the cursor is. */
function pendingOption(options: readonly Option[], before: readonly string[]): Option | undefined {
  const last = before.at(-1)
  return last === undefined ? undefined : options.find(option => isValueFlag(option, last))
}

function operands(words: readonly string[], options: readonly Option[]): string[] {
  const result: string[] = []
  let isValue = false
  for (const word of words) {
    if (isValue) {
      isValue = false
      continue
    }
    if (word.startsWith('-')) {
      isValue = options.some(option => isValueFlag(option, word))
      continue
    }
    result.push(word)
  }
  return result
}

function isValueFlag(option: Option, word: string): boolean {
  return (option.required || option.optional) && (word === option.long || word === option.short)
}

function nextArgument(command: Command, index: number): Argument | undefined {
  const last = command.registeredArguments.at(-1)
  return command.registeredArguments[index] ?? (last?.variadic ? last : undefined)
}
