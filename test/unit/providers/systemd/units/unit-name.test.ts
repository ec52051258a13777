import { expect, test } from 'vitest'
import { dropInOwnersOf, findStateProblem } from '../../../../../providers/systemd/units/unit-name.ts'

const owners: Readonly<Record<string, readonly string[]>> = {
  'web.service': ['web.service'],
  'web-blue.service': ['web-blue.service', 'web-.service'],
  'a-b-c.socket': ['a-b-c.socket', 'a-b-.socket', 'a-.socket'],
  'a.b-c.service': ['a.b-c.service', 'a.b-.service'],
  'a-b@x-y.service': ['a-b@x-y.service', 'a-b@.service', 'a-@x-y.service', 'a-@.service'],
  '-x.service': ['-x.service'],
}

for (const [unit, expected] of Object.entries(owners)) {
  test(`the drop-ins of ${expected.join(', ')} apply to ${unit}`, () => {
    expect(dropInOwnersOf(unit)).toEqual(expected)
  })
}

test('a template never runs, while its instances and other units may', () => {
  expect(findStateProblem('tpl@', 'running')).toContain(
    'tpl@ is a template, of which only instances run: name one, tpl@NAME,',
  )
  expect(findStateProblem('tpl@.timer', 'running')).toContain('name one, tpl@NAME.timer,')
  for (const state of ['stopped', 'unmanaged'] as const) expect(findStateProblem('tpl@', state)).toBeUndefined()
  for (const service of ['tpl', 'tpl@x', 'tpl@x.timer', 'a@b@']) {
    expect(findStateProblem(service, 'running')).toBeUndefined()
  }
})
