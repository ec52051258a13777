import { expect, test } from 'vitest'
import {
  describeJobResult,
  describeLoad,
  describeResult,
  exitedWith,
} from '../../../../../providers/systemd/observe/exit-words.ts'

/** Results from org.freedesktop.systemd1(5) and systemd's sources: of services, sockets, timers and paths. */
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

test.each(results)('result %s has a message, with how the process ended', result => {
  for (const said of [describeResult(result), describeResult(result, { exit: { signal: 'SEGV' } })]) {
    expect(said).toMatch(/^(?:it|its|one|systemd|memory) \w/)
    expect(said).not.toContain('systemd gives the reason')
  }
  expect(describeResult(result, { exit: exitedWith(226) })).toContain('exited with code 226/NAMESPACE: its sandbox')
  expect(describeResult(result, { exit: { code: 4 }, command: 'ExecStartPre=' })).toContain(
    'ExecStartPre= exited with code 4',
  )
})

test('a result of a later systemd is passed on', () => {
  expect(describeResult('constructor')).toBe('systemd gives the reason constructor')
  expect(describeJobResult('web.service', 'toString')).toBe('web.service was not done: systemd says toString')
  expect(describeLoad('valueOf')).toBe('systemd has not loaded its unit: valueOf')
  expect(describeLoad('loaded')).toBeUndefined()
})

test.each(['failed', 'canceled', 'timeout', 'dependency', 'invalid', 'assert', 'unsupported', 'collected', 'once'])(
  'job result %s has a message',
  result => expect(describeJobResult('web.service', result)).not.toContain('systemd says'),
)

test.each(['not-found', 'masked', 'bad-setting', 'error', 'merged', 'stub'])('unit state %s has a message', load =>
  expect(describeLoad(load)).not.toContain(`: ${load}`),
)
