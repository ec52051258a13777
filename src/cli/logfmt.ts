import { isObject } from '../core/outside-value.ts'
import { visibleWord } from '../core/text/visible-text.ts'

/** Turns pino's JSON line into `time=… level=… facility=… msg="…"`, ended. */
export function logfmtLine(line: string): string {
  const { time, level, msg, ...rest }: Readonly<Record<string, unknown>> = JSON.parse(line)
  const pairs = [['time', time], ['level', level], ...Object.entries(rest), ['msg', msg]] as const
  return `${pairs.flatMap(([key, value]) => fieldTexts(String(key), value)).join(' ')}\n`
}

/** Fields of nested objects get dotted keys: `error.message=…`. */
function fieldTexts(key: string, value: unknown): string[] {
  if (value === undefined) return []
  if (isObject(value)) {
    return Object.entries(value).flatMap(([name, part]) => fieldTexts(`${key}.${name}`, part))
  }
  return [`${key.replace(/[^\w.-]/g, '_')}=${valueText(typeof value === 'string' ? value : JSON.stringify(value))}`]
}

/** A quoted value is a JSON string, which parsers of logfmt read. */
function valueText(text: string): string {
  return /^[^\s"=\\]+$/.test(text) && visibleWord(text) === text ? text : visibleWord(JSON.stringify(text))
}
