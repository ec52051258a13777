import { expect, test } from 'vitest'
import { daemontoolsProvider } from '../../../../providers/daemontools/index.ts'
import { processProvider } from '../../../../providers/process/index.ts'
import { runitProvider } from '../../../../providers/runit/index.ts'
import { s6Provider } from '../../../../providers/s6/index.ts'
import { systemdProvider } from '../../../../providers/systemd/index.ts'
import { readMarker } from '../../../../providers/systemd/units/marker.ts'
import type { Provider } from '../../../../src/core/contracts/provider.ts'
import type { Facility } from '../../../../src/core/model/facility.ts'
import type { ResolvedFacility } from '../../../../src/core/model/resolved-facility.ts'
import { definitionDiffers } from '../../../../src/core/state/comparison.ts'
import { formatMark } from '../../../../src/core/state/revision-mark.ts'
import { type ResolutionOptions, resolveFacility } from '../../../../src/engine/refresh/facility-resolution.ts'
import { createReadHost } from '../../../../src/host/read-host.ts'
import { openObserver } from '../../../tools/opened-provider.ts'
import { plainFacility, plainProcess } from '../../../tools/plain-facility.ts'

const providers: [string, Provider][] = [
  ['systemd', systemdProvider],
  ['process', processProvider],
]

function targetOf(
  provider: Provider,
  facility: Partial<Facility>,
  more: Partial<ResolutionOptions> = {},
): ResolvedFacility {
  const instance = { name: 'one', type: provider.type, options: {}, stateDirectory: '/var/lib/reeve', owner: 'default' }
  const bound = { instance, provider, observer: openObserver(provider, instance) }
  const whole = plainFacility({
    name: 'web',
    supervisor: 'one',
    service: 'site',
    process: { ...plainProcess, command: ['/bin/web'], workingDirectory: '/srv/web' },
    files: [{ path: '/etc/web', content: new Uint8Array(), mode: 0o644, onChange: 'restart' }],
    ...facility,
  })
  return resolveFacility(whole, { bound, host: createReadHost(), owner: 'default', ...more })
}

test.each(providers)('%s: a renamed facility is compared with its definition under the former name', (_, provider) => {
  const former = targetOf(provider, { name: 'www' })
  const renamed = targetOf(provider, { renamedFrom: 'www' })
  expect(renamed.formerDigest).toBe(former.definition?.digest)
  expect(former.formerDigest).toBeUndefined()
})

test.each([
  ...providers,
  ['runit', runitProvider] as const,
  ['s6', s6Provider] as const,
  ['daemontools', daemontoolsProvider] as const,
])(
  '%s: the marker has the newest accepted revision, which no digest depends on and which is no difference',
  (_, provider) => {
    const [one, two] = ['a', 'b'].map(digit => {
      const mark = formatMark({ count: 3, commit: digit.repeat(40), tree: digit.repeat(40), source: 'c'.repeat(16) })
      return targetOf(provider, {}, { mark })
    })
    if (!one || !two) throw new Error('there are two')
    expect([two.definition?.digest, two.imprint]).toEqual([one.definition?.digest, one.imprint])
    const onDisk = new Map(
      one.definition?.files.map(({ path, content, mode }) => [
        path,
        { kind: 'file' as const, mode, uid: 0, gid: 0, content: Buffer.from(content) },
      ]),
    )
    const snapshot = {
      services: new Map(),
      owned: [],
      unavailable: new Map(),
      files: onDisk,
      controllers: [],
    }
    const observed = { service: 'site', state: 'running', enabled: true, supervised: true } as const
    expect(two.definition?.files).not.toEqual(one.definition?.files)
    expect(definitionDiffers(two, observed, snapshot)).toBe(false)
    const other = targetOf(provider, { prune: false }, { mark: two.mark })
    expect(definitionDiffers(other, observed, snapshot)).toBe(true)
  },
)

test('E24: a marker lists the meeting points of its service, and its files once', () => {
  const [file] = targetOf(systemdProvider, {}).definition?.files ?? []
  const marker = readMarker(file?.content ?? '')
  expect(marker?.files).toEqual(['/etc/web'])
  expect(marker?.meets).toEqual([expect.stringMatching(/^cmd:[0-9a-f]{16}$/), 'dir:/srv/web'])
})

test.each([
  ['systemd', systemdProvider, 'a\\x2db@c\\x2dd', undefined],
  ['systemd', systemdProvider, 'a+b', 'expected a name of letters, digits and _ . @ : - \\, as systemd.unit(5) has it'],
  ['process', processProvider, 'a:b', undefined],
  ['process', processProvider, 'a\\x2db', 'expected a name of letters, digits and _ . @ : -, beginning with a letter'],
  [
    'a provider without service names of its own',
    { ...processProvider, type: 'mine' },
    'a~b',
    'expected a name of letters',
  ],
  [
    'a provider with service names of its own',
    { ...processProvider, serviceNames: { pattern: 'a~b', words: 'a and b' } },
    'a~b',
    undefined,
  ],
  [
    'a provider with service names of its own',
    { ...processProvider, serviceNames: { pattern: 'a|b', words: 'a or b' } },
    'ab',
    'a or b, found ab',
  ],
  [
    'a provider that fails',
    { ...processProvider, serviceNames: { pattern: '(', words: '' } },
    'a',
    'a fault of the provider',
  ],
] as const)('the provider decides which service names are valid: %s, %s %s', (_, provider, service, expected) => {
  const { problems } = targetOf(provider, { service, files: [] })
  if (expected === undefined) expect(problems).toEqual([])
  else expect(problems).toEqual([expect.stringContaining(expected)])
})

test.each(providers)('E3: %s: a marker of an earlier version has the definition that it stands in', (_, provider) => {
  const ownership = { owner: 'default', facility: 'web', files: ['/etc/web'], dependsOn: [], prune: true }
  const observed = { service: 'site', state: 'running', enabled: true, supervised: true, ownership } as const
  const { earlier, definition } = targetOf(provider, {}, { observed })
  expect(earlier?.digest).toBe(definition?.digest)
  expect(earlier?.files[0]?.content).not.toContain('meets')
  const other = { ...observed, ownership: { ...ownership, owner: 'edge' } }
  expect(targetOf(provider, {}, { observed: other }).earlier).toBeUndefined()
})

test.each(['maxSize', 'keep'])('output.%s is refused under systemd, which does not rotate, with the way out', field => {
  const output = { file: '/var/log/web.log', [field]: 5_000 }
  const { problems } = targetOf(systemdProvider, { process: { ...plainProcess, command: ['/bin/web'], output } })
  expect(problems).toEqual([
    `supervisor one can't honour spec.process.output.${field} of facility web: systemd rotates no files; leave it away and set ` +
      'up logrotate, or leave output away and use the journal',
  ])
})
