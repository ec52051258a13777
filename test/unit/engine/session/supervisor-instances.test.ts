import { expect, test } from 'vitest'
import type { Provider } from '../../../../src/core/contracts/provider.ts'
import { validate } from '../../../../src/engine/refresh/validation.ts'
import { openSession } from '../../../../src/engine/session/session.ts'
import type { InstanceRecord } from '../../../../src/engine/session/state-files.ts'
import { bindInstances, formerName } from '../../../../src/engine/session/supervisor-instances.ts'
import { makeDirectory, supervisorText } from '../../../tools/manifest-directory.ts'

const absent = (): never => {
  throw new Error('nobody asks for this')
}

/** Provider that tells instances apart by directory, as systemd does by that of its units. */
const provider: Provider = {
  type: 'alpha',
  capabilities: { process: [] },
  identify: ({ options }) => ({ place: String(options.directory ?? '/usual') }),
  render: absent,
  openObserver: absent,
  openApplier: absent,
}

function namesOf(
  declared: Readonly<Record<string, object>>,
  recorded: Readonly<Record<string, InstanceRecord>> = {},
  of: Provider = provider,
): string[] {
  const bound = bindInstances({
    providers: new Map([['alpha', of]]),
    declared: Object.entries(declared).map(([name, options]) => ({
      name,
      type: 'alpha',
      options: { ...options },
      position: { file: 'test.yaml', line: 1, column: 1 },
    })),
    recorded: new Map(Object.entries(recorded)),
    stateDirectory: '/state',
    owner: 'default',
    observers: { get: absent, keep: absent, [Symbol.dispose]: absent },
  })
  return [...bound.keys()].sort()
}

test('a provider has a default instance besides the declared ones', () => {
  expect(namesOf({})).toEqual(['alpha'])
  expect(namesOf({ other: { directory: '/other' } })).toEqual(['alpha', 'other'])
})

test('the default instance is left out if a declared one is the same supervisor', () => {
  expect(namesOf({ mine: {} })).toEqual(['mine'])
  expect(namesOf({ mine: { directory: '/usual' } })).toEqual(['mine'])
})

test('a declared instance with the default name replaces the default instance', () => {
  expect(namesOf({ alpha: { directory: '/other' } })).toEqual(['alpha'])
})

const usual: InstanceRecord = { type: 'alpha', options: {} }
const elsewhere: InstanceRecord = { type: 'alpha', options: { directory: '/elsewhere' } }

test('a recorded supervisor that is no longer declared is still observed', () => {
  expect(namesOf({}, { mine: elsewhere })).toEqual(['alpha', 'mine'])
})

test('if a name means another place now, the former place is observed too', () => {
  expect(namesOf({ mine: { directory: '/other' } }, { mine: elsewhere })).toEqual([
    'alpha',
    'mine',
    formerName('mine', elsewhere),
  ])
})

test('a supervisor declared with other options or another name is one instance if the place is the same', () => {
  expect(namesOf({ mine: { directory: '/usual' } }, { mine: usual })).toEqual(['mine'])
  expect(namesOf({ alpha: { directory: '/usual' } }, { alpha: usual })).toEqual(['alpha'])
  expect(namesOf({ ours: { directory: '/elsewhere' } }, { mine: elsewhere })).toEqual(['alpha', 'ours'])
})

test('a provider may tell instances apart by layout besides place', () => {
  const layered: Provider = {
    ...provider,
    identify: ({ options }) => ({ place: String(options.directory ?? '/usual'), layout: [JSON.stringify(options)] }),
  }
  const before: InstanceRecord = { type: 'alpha', options: { directory: '/usual', layer: 1 } }
  expect(namesOf({ mine: { directory: '/usual', layer: 2 } }, { mine: before }, layered)).toEqual([
    'mine',
    formerName('mine', before),
  ])
})

/** Supervisor options in a manifest, and the place that they mean. */
test.each([
  ['process', 'process: { directory: /srv/one }', '/srv/one'],
  ['systemd', 'systemd: { scope: system }', '/etc/systemd/system'],
  ['systemd', 'systemd: { scope: user, unitDirectory: /srv/units }', '/srv/units'],
  ['runit', 'runit: { serviceDirectory: /srv/service, definitionDirectory: /srv/sv }', '/srv/service'],
  ['s6', 's6: { serviceDirectory: /srv/service, definitionDirectory: /srv/s6 }', '/srv/service'],
  ['daemontools', 'daemontools: { serviceDirectory: /srv/service, definitionDirectory: /srv/sv }', '/srv/service'],
])('two names for one %s (%s) are refused, and both positions are reported', async (type, options, place) => {
  const spec = `type: ${type}, ${options}`
  const directory = makeDirectory({
    'manifests/a.yaml': supervisorText('mine', spec),
    'manifests/b.yaml': supervisorText('yours', spec),
    'manifests/c.yaml': supervisorText(
      'elsewhere',
      spec.replaceAll('/srv/', '/elsewhere/').replace('system }', 'user }'),
    ),
    'reeve.yaml': 'apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\n',
  })
  const session = await openSession({
    directory: `${directory}/manifests`,
    config: `${directory}/reeve.yaml`,
    insecurePermissions: true,
  })
  const { diagnostics } = await validate(session)
  const also = (file: string): string =>
    `the ${type} at ${place}, which can have one name only, is also claimed at ${directory}/manifests/${file}:3:19`
  expect(diagnostics.map(({ code, message }) => [code, message])).toEqual([
    ['duplicate-supervisor', also('b.yaml')],
    ['duplicate-supervisor', also('a.yaml')],
  ])
})
