import { expect, test } from 'vitest'
import type { Provider } from '../../src/core/provider.ts'
import { bindInstances, type InstanceRecord } from '../../src/engine/instances.ts'
import { createReadHost } from '../../src/host/read-host.ts'

const absent = (): never => {
  throw new Error('nobody asks for this')
}

/** Which of its instances is which is told by the directory, as by systemd's of units. */
const provider: Provider = {
  type: 'alpha',
  capabilities: { process: [] },
  place: ({ options }) => String(options.directory ?? '/usual'),
  probe: absent,
  render: absent,
  list: absent,
  observe: absent,
  apply: absent,
}

function namesOf(
  declared: Readonly<Record<string, object>>,
  recorded: Readonly<Record<string, InstanceRecord>> = {},
): string[] {
  const bound = bindInstances({
    providers: new Map([['alpha', provider]]),
    declared: Object.entries(declared).map(([name, options]) => ({
      name,
      type: 'alpha',
      options: { ...options },
      position: { file: 'test.yaml', line: 1, column: 1 },
    })),
    recorded: new Map(Object.entries(recorded)),
    stateDirectory: '/state',
    owner: 'default',
    createReadHost: () => createReadHost(),
  })
  return [...bound.keys()].sort()
}

test('a provider has a default instance, and those that are declared', () => {
  expect(namesOf({})).toEqual(['alpha'])
  expect(namesOf({ other: { directory: '/other' } })).toEqual(['alpha', 'other'])
})

test('the default instance is not looked at beside a declared one that is the same supervisor', () => {
  expect(namesOf({ mine: {} })).toEqual(['mine'])
  expect(namesOf({ mine: { directory: '/usual' } })).toEqual(['mine'])
})

test('declared itself, the default name means what it says', () => {
  expect(namesOf({ alpha: { directory: '/other' } })).toEqual(['alpha'])
})
