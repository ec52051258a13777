import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { builtinProviders } from '../../../providers/registry.ts'
import { type Bound, listBounds, type Schema } from '../../transition/schema-fields.ts'
import { renderPolicyPage } from './policy-page.ts'

function readSchema(name: string): Schema {
  return JSON.parse(readFileSync(new URL(`../../../schemas/${name}.schema.json`, import.meta.url), 'utf8'))
}

const kinds: [string, Schema][] = [
  ['Facility', readSchema('facility')],
  ['Supervisor', readSchema('supervisor')],
]
const natives = await Promise.all(
  Object.entries(builtinProviders).map(async ([type, load]) => ({ type, ...(await load()).capabilities })),
)
/** Without a schema there are no fields. */
function entitle(title: string, schema: object | undefined): [string, Schema][] {
  return schema === undefined ? [] : [[title, JSON.parse(JSON.stringify(schema))]]
}
const schemas: [string, Schema][] = [
  ...kinds,
  ...natives.flatMap(({ type, configSchema }) => entitle(`spec.config.${type} of a Facility`, configSchema)),
  ...natives.flatMap(({ type, optionsSchema }) => entitle(`spec.${type} of a Supervisor`, optionsSchema)),
]
const tables = schemas.map(([title, schema]) => [title, listBounds(schema)] as const)

describe('S11: the schemas declare what restricts every field:', () => {
  test.each(tables)('%s', (_, bounds) => {
    expect([...bounds].filter(([, bound]) => bound === undefined).map(([field]) => field)).toEqual([])
  })

  test('every key of the policy restricts some field, and no other key is named', () => {
    const { properties } = readSchema('host-configuration')
    const keys = Object.keys(properties?.policy?.properties ?? {}).sort()
    const bounds = tables.flatMap(([, table]) => [...table.values()])
    const used = bounds.flatMap((bound: Bound = []) => (typeof bound === 'string' ? [] : bound))
    expect([...new Set(used)].sort()).toEqual(keys)
  })

  test('docs/policy.md contains all of it (vitest -u updates it)', async () => {
    await expect(renderPolicyPage(tables)).toMatchFileSnapshot('../../../docs/policy.md')
  })
})
