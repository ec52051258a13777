import { expect, test } from 'vitest'
import { systemdProvider } from '../../../../../providers/systemd/index.ts'
import { renderDefinition } from '../../../../../providers/systemd/units/definition.ts'
import type { DeclaredService } from '../../../../../src/core/contracts/provider.ts'
import type { Facility } from '../../../../../src/core/model/facility.ts'
import { findContradictions } from '../../../../../src/core/plan/contradiction.ts'
import { locationKey } from '../../../../../src/core/state/snapshot.ts'
import { openObserver } from '../../../../tools/opened-provider.ts'
import { plainFacility, plainProcess } from '../../../../tools/plain-facility.ts'

const instance = { name: 'systemd', type: 'systemd', options: {}, stateDirectory: '/s', owner: 'default' }

type Spec = Partial<Facility> & { readonly isPackaged?: true }

/** Contradictions between facilities, by declaration alone. */
async function contradictions(specs: Readonly<Record<string, Spec>>): Promise<Record<string, string>> {
  const facilities = Object.entries(specs).map(([name, { isPackaged, ...spec }]) => {
    const process = isPackaged || spec.process ? {} : { process: { ...plainProcess, command: ['/bin/true'] } }
    return plainFacility({ name, supervisor: 'systemd', ...process, ...spec })
  })
  const declared = facilities.map((facility): DeclaredService => {
    const { service, enabled, process, config, name } = facility
    if (!process && config === undefined) return { service, enabled }
    const rendered = renderDefinition(facility, instance, {
      owner: 'default',
      facility: name,
      files: [],
      dependsOn: [],
      prune: true,
    })
    if ('problems' in rendered) throw new Error(JSON.stringify(rendered.problems))
    return { service, enabled, definition: rendered.definition }
  })
  const found = await openObserver(systemdProvider, instance).relate?.(declared, { isElsewhere: true })
  const ties = new Map([...(found ?? [])].map(([service, one]) => [`systemd/${service}`, one]))
  expect([...ties.keys()]).toEqual(facilities.map(locationKey))
  return Object.fromEntries(findContradictions(facilities, ties))
}

const unit = (section: string, key: string, value: unknown): Spec => ({
  config: { unit: { [section]: { [key]: value } } },
})
const stopped: Spec = { state: 'stopped', enabled: false }
const packaged: Spec = { isPackaged: true }

type Row = [title: string, a: Spec, b: Spec, here: RegExp, there: RegExp]

test.each<Row>([
  [
    'Alias= of a stopped unit',
    unit('Install', 'Alias', 'b.service'),
    { ...packaged, ...stopped },
    /same service as that of facility b \(Alias=b\.service of a\.service\)/,
    /same service as that of facility a \(Alias/,
  ],
  ['Alias= of a unit with its own file', unit('Install', 'Alias', 'b.service'), {}, /facility b/, /facility a/],
  [
    'Conflicts=, both running',
    unit('Unit', 'Conflicts', 'b.service'),
    {},
    /beside facility b.*Conflicts=b/,
    /facility a/,
  ],
  [
    'Conflicts= with one of several',
    unit('Unit', 'Conflicts', ['x.service y.service', 'b.service']),
    {},
    /b/,
    /facility a/,
  ],
  ['Also=', unit('Install', 'Also', 'b.service'), { enabled: false }, /enables facility b.*Also=b/, /facility a also/],
  [
    'Also=, in the other direction',
    { enabled: false, ...unit('Install', 'Also', 'b.service') },
    {},
    /disables facility b/,
    /facility a also disables it/,
  ],
  ...['Requires', 'Wants', 'BindsTo', 'Upholds', 'OnFailure', 'OnSuccess'].map(
    (key): Row => [
      `${key}= of what is stopped`,
      unit('Unit', key, 'b.service'),
      stopped,
      new RegExp(`it starts facility b, which is declared stopped: ${key}=b\\.service of a\\.service\\. `),
      /facility a, which is declared running, starts it/,
    ],
  ),
  ...['PartOf', 'Requisite', 'StopPropagatedFrom'].map(
    (key): Row => [
      `${key}= of what is stopped`,
      unit('Unit', key, 'b.service'),
      stopped,
      new RegExp(`it goes down with facility b, which is declared stopped: ${key}=`),
      /facility a, which is declared running, goes down with it/,
    ],
  ),
  [
    'PropagatesStopTo= of a stopped unit',
    {},
    { ...stopped, ...unit('Unit', 'PropagatesStopTo', 'a.service') },
    /down with facility b/,
    /facility a/,
  ],
  ...['WantedBy', 'RequiredBy', 'UpheldBy'].map(
    (key): Row => [
      `${key}= what runs`,
      {},
      { state: 'stopped', ...unit('Install', key, 'a.service') },
      new RegExp(`it starts facility b.*${key}=a\\.service of b\\.service`),
      /facility a/,
    ],
  ),
  ['a specifier', unit('Unit', 'Conflicts', 'b.%p.service'), { service: 'b.a' }, /facility b/, /facility a/],
  [
    'text',
    { config: { text: '[Unit]\nConflicts=z.service \\\n  b.service\n[Service]\nExecStart=/bin/true\n' } },
    {},
    /facility b/,
    /facility a/,
  ],
  [
    'a drop-in of an unknown unit',
    { ...packaged, config: { dropIns: { x: '[Unit]\nConflicts=b.service\n' } } },
    {},
    /facility b/,
    /facility a/,
  ],
  [
    'an empty value, which resets nothing here',
    { config: { dropIns: { x: '[Unit]\nConflicts=b.service\nConflicts=\n' } } },
    {},
    /facility b/,
    /facility a/,
  ],
  [
    'a timer of another unit',
    { config: { timer: { OnCalendar: 'daily', Unit: 'b.service' } } },
    stopped,
    /it starts facility b.*a\.timer starts b\.service/,
    /facility a/,
  ],
  [
    'a socket of another service',
    { config: { socket: { ListenStream: '/run/x', Service: 'b.service' } } },
    stopped,
    /a\.socket starts b\.service/,
    /facility a/,
  ],
  [
    'Sockets=',
    unit('Service', 'Sockets', 'b.socket'),
    { ...stopped, ...packaged, service: 'b.socket' },
    /Sockets=b/,
    /facility a/,
  ],
  [
    'the socket that it declares itself',
    { config: { socket: { ListenStream: '/run/x' } } },
    { ...packaged, service: 'a.socket' },
    /same service/,
    /same service/,
  ],
])('E21: %s', async (_title, a, b, here, there) => {
  expect(await contradictions({ a, b })).toEqual({ a: expect.stringMatching(here), b: expect.stringMatching(there) })
})

test.each<[title: string, a: Spec, b: Spec]>([
  ['a conflict with a stopped unit', unit('Unit', 'Conflicts', 'b.service'), stopped],
  ['a conflict of a stopped unit', { ...stopped, ...unit('Unit', 'Conflicts', 'b.service') }, {}],
  ['a conflict with an unmanaged unit', unit('Unit', 'Conflicts', 'b.service'), { state: 'unmanaged' }],
  ['a conflict with a suspended unit', unit('Unit', 'Conflicts', 'b.service'), { suspend: true }],
  [
    'both stopping with the host',
    unit('Unit', 'Conflicts', 'shutdown.target'),
    unit('Unit', 'Conflicts', 'shutdown.target'),
  ],
  ['an order', unit('Unit', 'After', 'b.service'), stopped],
  ['a namespace', unit('Unit', 'JoinsNamespaceOf', 'b.service'), stopped],
  ['a needed unit that runs', unit('Unit', 'Requires', 'b.service'), {}],
  ['a stopped unit that needs a running one', { ...stopped, ...unit('Unit', 'Requires', 'b.service') }, {}],
  ['a stopped unit that needs a stopped one', { ...stopped, ...unit('Unit', 'Requires', 'b.service') }, stopped],
  ['a handler that is unmanaged', unit('Unit', 'OnFailure', 'b.service'), { state: 'unmanaged', enabled: 'unmanaged' }],
  [
    'an alias of a disabled unit',
    { enabled: false, ...unit('Install', 'Alias', 'b.service') },
    { ...packaged, ...stopped },
  ],
  ['an alias of no other unit', unit('Install', 'Alias', 'c.service'), {}],
  ['wanted by a running unit, but not enabled', {}, { ...stopped, ...unit('Install', 'WantedBy', 'a.service') }],
  ['Also= of an enabled unit', unit('Install', 'Also', 'b.service'), {}],
  ['Also= of an enabled unit, as others declare it', unit('Install', 'Also', 'b.service'), { enabled: 'unmanaged' }],
  ['a key of another section', unit('X-Other', 'Conflicts', 'b.service'), {}],
  ['a comment', { config: { dropIns: { x: '[Unit]\n# Conflicts=b.service\n' } } }, {}],
])('no contradiction: %s', async (_title, a, b) => {
  expect(await contradictions({ a, b })).toEqual({})
})

test('E21: relations are followed through other units, as systemd does', async () => {
  const wants = {
    c: { ...unit('Unit', 'Requires', 'm.service') },
    m: { state: 'unmanaged', ...unit('Unit', 'Wants', 'b.service') },
  } as const
  expect(await contradictions({ ...wants, b: stopped })).toEqual({
    b: expect.stringMatching(/facility c, .*Requires=m\.service of c\.service, Wants=b\.service of m\.service/),
    c: expect.stringMatching(/it starts facility b/),
  })
  // A unit that is pulled in stops another, and units that are part of that one.
  expect(
    await contradictions({
      a: unit('Unit', 'Wants', 'm.service'),
      m: { state: 'unmanaged', ...unit('Unit', 'Conflicts', 'n.service') },
      n: { state: 'unmanaged' },
      b: unit('Unit', 'PartOf', 'n.service'),
    }),
  ).toEqual({ a: expect.stringMatching(/beside facility b/), b: expect.stringMatching(/beside facility a/) })
  // A unit that starts on failure replaces another, which nothing stops.
  expect(
    await contradictions({
      a: unit('Unit', 'OnFailure', 'm.service'),
      m: { state: 'unmanaged', ...unit('Unit', 'Conflicts', 'b.service') },
      b: {},
    }),
  ).toEqual({})
})
