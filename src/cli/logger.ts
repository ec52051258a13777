import { createRequire } from 'node:module'
import type { Log } from '../core/contracts/log.ts'
import type { Screen } from './screen.ts'

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

type Fields = Readonly<Record<string, unknown>>

/**
 * JSON lines, or readable ones on a terminal, written at once and in this process: a worker would lose the last lines
 * at the end. pino is loaded with the first message.
 */
export function createLog(level: LogLevel, screen: Screen): Log {
  let pino: Log | undefined
  const write = (messageLevel: Exclude<LogLevel, 'silent'>, fields: Fields, message: string) => {
    if (logLevels.indexOf(messageLevel) < logLevels.indexOf(level)) return
    pino ??= openPino(level, screen)
    pino[messageLevel](fields, message)
  }
  return {
    debug: (fields, message) => write('debug', fields, message),
    info: (fields, message) => write('info', fields, message),
    warn: (fields, message) => write('warn', fields, message),
    error: (fields, message) => write('error', fields, message),
  }
}

function openPino(level: LogLevel, screen: Screen): Log {
  const require = createRequire(import.meta.url)
  const { pino }: typeof import('pino') = require('pino')
  const options = {
    level,
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.err },
  }
  if (screen.width() === undefined) return pino(options, { write: line => screen.writeExact(line) })
  const { prettyFactory }: typeof import('pino-pretty') = require('pino-pretty')
  const format = prettyFactory({
    // Its own sequences would be taken for those of a message.
    colorize: false,
    // People read the message, which says it all; the fields are for programs.
    hideObject: true,
    ignore: 'pid,hostname',
    messageFormat: readableMessage,
    translateTime: 'SYS:HH:MM:ss',
  })
  return pino(options, { write: line => screen.write(colorLevel(format(line), screen)) })
}

function readableMessage(fields: Fields, messageKey: string): string {
  const message = String(fields[messageKey])
  const { error } = fields
  return typeof error === 'string' && !message.includes(error) ? `${message}: ${error}` : message
}

/** The level is the first word after the time. */
function colorLevel(line: string, { colors }: Screen): string {
  return line.replace(/^(\[[^\]]*\] )(DEBUG|INFO|WARN|ERROR)/, (_all, time: string, level: string) => {
    const paint = { DEBUG: colors.cyan, INFO: colors.green, WARN: colors.yellow, ERROR: colors.red }[level] ?? String
    return time + paint(level)
  })
}
