import type { EngineListener } from '../../src/core/contracts/engine-event.ts'
import type { Verb } from '../../src/core/plan/verb.ts'

/** Has an effect as steps of `a` and `b` end: in this process, as another one could interfere at any time on a busy host. */
export function atSteps(verb: Verb, happen: (name: string, other: string) => void): EngineListener {
  const others = new Map([
    ['a', 'b'],
    ['b', 'a'],
  ])
  return event => {
    const other = others.get(event.facility)
    if (other !== undefined && event.type === 'step-finished' && event.step.verb === verb) happen(event.facility, other)
  }
}
