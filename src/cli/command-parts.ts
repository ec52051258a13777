import { Argument, type Command, InvalidArgumentError, Option } from 'commander'
import { parseDuration } from '../core/text/quantity.ts'
import type { Task } from './context.ts'

/** Runs a command's task with its options. */
export type Run = (command: Command, task: Task) => Promise<void>

export type Examples = readonly (readonly [command: string, what: string])[]

export function add(program: Command, name: string, description: string, examples: Examples): Command {
  const width = Math.max(...examples.map(([command]) => command.length))
  const lines = examples.map(([command, what]) => `  ${command.padEnd(width)}  ${what}\n`)
  return program
    .command(name)
    .description(description)
    .showHelpAfterError(`(reeve ${name} --help shows its flags)`)
    .addHelpText('after', `\nExamples:\n${lines.join('')}`)
}

export function directory(): Argument {
  return new Argument('[DIR]', "manifests directory (default: the host configuration's, else ./manifests)")
}

export function manifests(): Option {
  return new Option('--manifests <DIR>', "manifests directory (default: the host configuration's, else ./manifests)")
}

export function output(): Option {
  return new Option('-o, --output <FORMAT>', 'output format: text (default) or json')
    .choices(['text', 'json'])
    .default('text')
}

/** Also as a comment on a pull request. */
export function planOutput(): Option {
  return new Option(
    '-o, --output <FORMAT>',
    'output format: text (default), json, or markdown for a comment on a pull request',
  )
    .choices(['text', 'json', 'markdown'])
    .default('text')
}

export function removals(): Option {
  return new Option('--allow-removals <N>', 'allow the removal of up to N facilities').argParser(wholeNumber)
}

export function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Expected a whole number, such as 5.')
  return Number(text)
}

/** Up to a day, in ms. */
export function duration(text: string): number {
  const amount = parseDuration(text)
  if (amount > 0 && amount <= parseDuration('1d')) return amount
  throw new InvalidArgumentError('Expected a duration of up to a day, such as 30s, 10m or 1h.')
}
