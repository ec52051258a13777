import { constants } from 'node:os'

/** Of the first and the last real-time signal, as glibc gives them to programs. */
const firstRealTime = 34
const lastRealTime = 64

/** `TERM`, `SIGTERM`, `15`, `RTMIN+3`. Undefined if there is no such signal. */
export function findSignalNumber(name: string): number | undefined {
  const short = name.replace(/^SIG/, '')
  const known = Object.entries(constants.signals).find(([key]) => key === `SIG${short}`)?.[1]
  if (known !== undefined) return known
  if (/^\d+$/.test(short)) return inRange(Number(short), 1)
  const [, base, offset = '0'] = /^RT(MIN|MAX)([+-]\d+)?$/.exec(short) ?? []
  if (base === undefined) return undefined
  return inRange((base === 'MIN' ? firstRealTime : lastRealTime) + Number(offset), firstRealTime)
}

/** `TERM`. Of two names for one signal the usual one (ABRT, not IOT). Undefined: it has none of its own, as real-time signals. */
export function findSignalName(number: number): string | undefined {
  const [name] = Object.entries(constants.signals).find(([, value]) => value === number) ?? []
  return name?.slice('SIG'.length)
}

function inRange(number: number, first: number): number | undefined {
  return number >= first && number <= lastRealTime ? number : undefined
}
