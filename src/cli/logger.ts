import { createRequire } from 'node:module'
import type { Log } from '../core/contracts/log.ts'
import type { StreamKind } from './command-io.ts'
import { logfmtLine } from './logfmt.ts'
import { oneLine, type Screen } from './screen.ts'

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

export const logFormats = ['text', 'json', 'logfmt'] as const
export type LogFormat = (typeof logFormats)[number]

export interface LogOptions {
  readonly level: LogLevel
  /** Called with the first message. */
  readonly format: () => LogFormat
  /** Kind of stream that `screen` writes to: decides how times look. Called with the first message. */
  readonly kind: () => StreamKind
}

type Fields = Readonly<Record<string, unknown>>

/**
 * Writes one line per message, whatever it contains (S10), synchronously and in this process: a worker would lose the last lines
 * at the end. pino is loaded with the first message.
 */
export function createLog(options: LogOptions, screen: Screen): Log {
  const from = logLevels.indexOf(options.level)
  let pino: Log | undefined
  const write = (level: Exclude<LogLevel, 'silent'>, fields: Fields, message: string) => {
    if (logLevels.indexOf(level) < from) return
    pino ??= openPino(options, screen)
    pino[level](fields, message)
  }
  return {
    debug: (fields, message) => write('debug', fields, message),
    info: (fields, message) => write('info', fields, message),
    warn: (fields, message) => write('warn', fields, message),
    error: (fields, message) => write('error', fields, message),
  }
}

function openPino({ level, format, kind }: LogOptions, screen: Screen): Log {
  const require = createRequire(import.meta.url)
  const { pino }: typeof import('pino') = require('pino')
  const options = {
    level,
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.err },
  }
  const wanted = format()
  const render = wanted === 'text' ? openText(require, kind(), screen) : wanted === 'logfmt' ? logfmtLine : String
  // JSON keeps its meaning when control characters are written as \u009b.
  return pino(options, { write: line => screen.write(render(line)) })
}

/** Time format by kind of stream. The journal has times of its own, and at a terminal the day is known. */
const timeFormats: Readonly<Record<StreamKind, string>> = {
  terminal: 'SYS:HH:MM:ss',
  journal: '',
  file: "UTC:yyyy-mm-dd'T'HH:MM:ss'Z'",
  pipe: "UTC:yyyy-mm-dd'T'HH:MM:ss'Z'",
}

function openText(require: NodeJS.Require, kind: StreamKind, screen: Screen): (line: string) => string {
  const { prettyFactory }: typeof import('pino-pretty') = require('pino-pretty')
  const format = prettyFactory({
    // The screen would escape its sequences as part of the message.
    colorize: false,
    // The message is complete; the fields are for programs.
    hideObject: true,
    ignore: kind === 'journal' ? 'pid,hostname,time' : 'pid,hostname',
    messageFormat: readableMessage,
    translateTime: timeFormats[kind],
  })
  return line => colorLevel(format(line), screen)
}

function readableMessage(fields: Fields, messageKey: string): string {
  const message = String(fields[messageKey])
  const { error } = fields
  return oneLine(typeof error === 'string' && !message.includes(error) ? `${message}: ${error}` : message)
}

/** Colours the level: the first word, or the first after the time. */
function colorLevel(line: string, { colors }: Screen): string {
  return line.replace(/^(\[[^\]]*\] )?(DEBUG|INFO|WARN|ERROR)/, (_all, time: string | undefined, level: string) => {
    const paint = { DEBUG: colors.cyan, INFO: colors.green, WARN: colors.yellow, ERROR: colors.red }[level] ?? String
    return (time ?? '') + paint(level)
  })
}
