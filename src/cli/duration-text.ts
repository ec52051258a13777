const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Age in the two largest units: `8s`, `3m12s`, `2h5m`, `3d4h`. From milliseconds. */
export function ageText(duration: number): string {
  const age = Math.max(0, duration)
  if (age < MINUTE) return `${Math.floor(age / SECOND)}s`
  if (age < HOUR) return pair(age, MINUTE, 'm', SECOND, 's')
  if (age < DAY) return pair(age, HOUR, 'h', MINUTE, 'm')
  return pair(age, DAY, 'd', HOUR, 'h')
}

/** Duration of an action: `45 ms`, `1.2 s`, `2m5s`. From milliseconds. */
export function durationText(duration: number): string {
  if (duration < SECOND) return `${Math.round(duration)} ms`
  if (duration < MINUTE) return `${(duration / SECOND).toFixed(1)} s`
  return ageText(duration)
}

function pair(age: number, unit: number, name: string, part: number, partName: string): string {
  const rest = Math.floor((age % unit) / part)
  return `${Math.floor(age / unit)}${name}${rest === 0 ? '' : `${rest}${partName}`}`
}
