/**
 * Whether a name fits one of the host owner's patterns, in which `*` stands for any text. It doesn't stand for `%`: what a
 * supervisor would still replace in a name isn't known here.
 */
export function fitsAny(name: string, patterns: readonly string[]): boolean {
  return patterns.some(pattern => fits(name, pattern))
}

function fits(name: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return name === pattern
  const last = rest.pop() ?? ''
  if (name.includes('%') || !name.startsWith(first) || !name.endsWith(last)) return false
  let at = first.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at <= name.length - last.length
}
