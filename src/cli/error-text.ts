import { messageOf, ReeveError } from '../core/reeve-error.ts'
import type { Colors } from './screen.ts'

/** Message of the error that ended a command, each line ended. `debug` adds stacks and causes. */
export function errorText(error: unknown, options: { readonly colors: Colors; readonly debug: boolean }): string {
  const { colors } = options
  const prefix = colors.red('reeve:')
  if (!(error instanceof ReeveError) || error.code === 'internal') {
    return `${prefix} this is a bug in Reeve, please report it: ${messageOf(error)}\n${stackText(error)}`
  }
  const text = `${prefix} ${positionText(error)}${error.message}\n`
  return options.debug ? text + stackText(error) : text
}

function positionText({ position, message }: ReeveError): string {
  if (position === undefined || message.includes(position.file)) return ''
  return `${position.file}:${position.line}:${position.column}: `
}

function stackText(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const stack = `${error.stack ?? ''}\n`
  return error.cause === undefined ? stack : `${stack}caused by: ${messageOf(error.cause)}\n${stackText(error.cause)}`
}
