import { writeSync } from 'node:fs'
import type { EffectListener } from '../../src/host/effects.ts'
import type { Moments } from './crash-host.ts'

/** Effects after which another process continues. */
const setsGoing: ReadonlySet<string> = new Set(['run', 'spawn', 'kill', 'request', 'bus-call'])

/**
 * Kills this process at one of its effects, and prints that on stdout. There are two moments for each effect, before it and after it,
 * counted from 1; at 0 it survives. `distinct`: the state after one effect equals the state before the next, so only moments after
 * which another process continues are counted.
 */
export function dieAt(moment: number, which: Moments): { readonly onEffect: EffectListener; count(): number } {
  let count = 0
  return {
    onEffect(effect, phase) {
      if (which === 'distinct' && phase === 'after' && !setsGoing.has(effect.kind)) return
      count += 1
      if (count !== moment) return
      writeSync(1, `${phase} ${effect.kind} ${effect.target}\n`)
      process.kill(process.pid, 'SIGKILL')
    },
    count: () => count,
  }
}
