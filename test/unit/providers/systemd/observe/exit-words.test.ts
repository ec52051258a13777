import { expect, test } from 'vitest'
import {
  describeJobResult,
  describeLoad,
  describeResult,
  exitedWith,
} from '../../../../../providers/systemd/observe/exit-words.ts'

/** org.freedesktop.systemd1(5) and systemd's sources: of services, sockets, timers and paths. */
const results = [
  'resources',
  'protocol',
  'timeout',
  'exit-code',
  'signal',
  'core-dump',
  'watchdog',
  'start-limit-hit',
  'oom-kill',
  'exec-condition',
  'trigger-limit-hit',
  'service-start-limit-hit',
  'unit-start-limit-hit',
]

test.each(results)('%s is told in words of our own, with how the process ended', result => {
  for (const said of [describeResult(result), describeResult(result, { exit: { signal: 'SEGV' } })]) {
    expect(said).toMatch(/^(?:it|its|one|systemd|memory) \w/)
    expect(said).not.toContain('systemd gives the reason')
  }
  expect(describeResult(result, { exit: exitedWith(226) })).toContain('exited with code 226/NAMESPACE: its sandbox')
  expect(describeResult(result, { exit: { code: 4 }, command: 'ExecStartPre=' })).toContain(
    'ExecStartPre= exited with code 4',
  )
})

test('what a later systemd says is passed on', () => {
  expect(describeResult('constructor')).toBe('systemd gives the reason constructor')
  expect(describeJobResult('web.service', 'toString')).toBe('web.service was not done: systemd says toString')
  expect(describeLoad('valueOf')).toBe('systemd has not loaded its unit: valueOf')
  expect(describeLoad('loaded')).toBeUndefined()
})

test.each(['failed', 'canceled', 'timeout', 'dependency', 'invalid', 'assert', 'unsupported', 'collected', 'once'])(
  'a job that ended with %s is told in words',
  result => expect(describeJobResult('web.service', result)).not.toContain('systemd says'),
)

test.each(['not-found', 'masked', 'bad-setting', 'error', 'merged', 'stub'])(
  'a unit that is %s is told in words',
  load => expect(describeLoad(load)).not.toContain(`: ${load}`),
)
