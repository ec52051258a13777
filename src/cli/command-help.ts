import { type Argument, type Command, CommanderError, Help, type HelpConfiguration } from 'commander'
import { readPackageVersion } from '../host/package-version.ts'
import type { CommandContext } from './context.ts'
import { unknownCommandText } from './unknown-command.ts'

export const exitCodes = `
Exit codes:
  0  done
  1  failed or invalid; for apply also when a facility did not become ready
  2  there are changes, or a facility does not stay up (only with plan --detailed-exitcode)

stdout holds the answer; stderr holds logs and progress.
Start with \`reeve validate\`, then \`reeve plan\`, then \`reeve apply\`; \`reeve run\` keeps doing it.
`

export function describeHelp(colors: CommandContext['out']['colors']): HelpConfiguration {
  return {
    showGlobalOptions: true,
    formatHelp,
    commandDescription: command => sentence(command.description()),
    subcommandTerm: command => [command.name(), ...command.registeredArguments.map(argumentTerm)].join(' '),
    // Option descriptions state their defaults and choices themselves.
    optionDescription: option => option.description,
    argumentDescription: argument => argument.description,
    styleTitle: text => colors.bold(text),
    visibleGlobalOptions: command =>
      command.parent?.options.filter(option => option.long !== '--version' && !option.hidden) ?? [],
  }
}

/** Commander's help text with the commands before the options. */
function formatHelp(command: Command, help: Help): string {
  const text = Help.prototype.formatHelp(command, help)
  if (command.parent) return text
  const sections = text.trimEnd().split('\n\n')
  const isFlags = (section: string) => section.includes('--version')
  return `${[...sections.filter(section => !isFlags(section)), ...sections.filter(isFlags)].join('\n\n')}\n`
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`
}

function argumentTerm(argument: Argument): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name()
  return argument.required ? `<${name}>` : `[${name}]`
}

export function printHelp(program: Command, name: string | undefined): void {
  const command = name === undefined ? program : program.commands.find(candidate => candidate.name() === name)
  if (command) command.help()
  refuseCommand(program, name ?? '')
}

export function refuseCommand(program: Command, name: string): never {
  const commands = program.createHelp().visibleCommands(program)
  const text = unknownCommandText(
    name,
    commands.map(command => command.name()),
  )
  return program.error(`error: ${text}`)
}

/** Reads package.json only when asked, as finding it takes some ms. */
export function printVersion(out: CommandContext['out']): never {
  out.write(`${readPackageVersion()}\n`)
  throw new CommanderError(0, 'commander.version', '')
}
