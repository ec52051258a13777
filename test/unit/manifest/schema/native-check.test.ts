import { expect, test } from 'vitest'
import { loadOwnProviders } from '../../../../src/engine/session/provider-loading.ts'
import { createNativeCheck } from '../../../../src/manifest/schema/native-check.ts'
import type { SchemaNode } from '../../../../src/manifest/schema/schema-node.ts'

const providers = await loadOwnProviders()
const native = createNativeCheck(type => providers.get(type)?.capabilities)

function messagesOf(type: string, config: unknown): string[] {
  return native.check(type, 'configSchema', config, ['spec', 'config', type]).map(({ message }) => message)
}

test.each([
  [
    'systemd',
    { timer: { Timer: { OnCalendar: 'daily' } } },
    'spec.config.systemd.timer.Timer must be text, a number, true or false, a list or null, found a map; ' +
      'spec.config.systemd.timer is for: Keys of [Timer], or the whole unit as source or text: a unit NAME.timer, which is enabled and started in place of the service.',
  ],
  [
    'systemd',
    { unit: { Service: { Nice: { value: 1 } } } },
    'spec.config.systemd.unit.Service.Nice must be text, a number, true or false, a list or null, found a map',
  ],
  ['systemd', { unit: { Nice: 1 } }, 'spec.config.systemd.unit.Nice must be a map, found 1'],
  ['systemd', { dropIns: { a: [] } }, 'spec.config.systemd.dropIns.a must be text or a map, found an empty list'],
  ['process', { restart: 'never' }, 'spec.config.process.restart must be a map or null, found the text "never"'],
  ['runit', { control: { t: null } }, 'spec.config.runit.control.t must be text, found nothing'],
])('a mistake in native configuration is reported with the expected value: %s %j', (type, config, message) => {
  expect(messagesOf(type, config)).toEqual([message])
})

/** Documents that have, at each place of a schema, each of the `wrong` values. */
function* mistakes(node: SchemaNode, wrong: readonly unknown[], within: (value: unknown) => unknown): Generator {
  for (const value of wrong) yield within(value)
  for (const way of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) yield* mistakes(way, wrong, within)
  if (node.items) yield* mistakes(node.items, wrong, value => within([value]))
  const { additionalProperties: entries } = node
  if (typeof entries === 'object') yield* mistakes(entries, wrong, value => within({ t: value }))
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    yield* mistakes(child, wrong, value => within({ [name]: value }))
  }
}

test.each([...providers.keys()].filter(type => providers.get(type)?.capabilities.configSchema))(
  '%s: every refused value, at any place of its schema, gets a message on what it must be',
  type => {
    const schema: SchemaNode = providers.get(type)?.capabilities.configSchema ?? {}
    const wrong = [{ inner: {} }, [[]], '', 'x y', 1.5, -1, true, null]
    const messages = [...mistakes(schema, wrong, value => value)].flatMap(config => messagesOf(type, config))
    expect(messages.length).toBeGreaterThan(20)
    expect(messages.filter(message => /something else|is not valid|undefined/.test(message))).toEqual([])
    // Messages of the validator itself.
    expect(messages.filter(message => message.includes('NOT'))).toEqual([])
  },
)
