import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { builtinProviders } from '../../../../providers/registry.ts'
import {
  type Coverage,
  configCoverage,
  facilityCoverage,
  optionsCoverage,
  supervisorCoverage,
} from '../../../../src/core/policy/coverage.ts'
import { listFields } from '../../../transition/schema-fields.ts'
import { renderPolicyPage } from './policy-page.ts'

function readSchema(name: string): Parameters<typeof listFields>[0] {
  return JSON.parse(readFileSync(new URL(`../../../../schemas/${name}.schema.json`, import.meta.url), 'utf8'))
}

const listAll = (schema?: object): string[] => (schema ? listFields(JSON.parse(JSON.stringify(schema))) : [])
const fieldsOf = (coverage: Coverage = {}): string[] => Object.keys(coverage).sort()

describe('S11: every field has a row in the table of what bounds it, and every row a field', () => {
  test.each([
    ['facility', facilityCoverage],
    ['supervisor', supervisorCoverage],
  ])('of a %s', (name, coverage) => {
    expect(fieldsOf(coverage)).toEqual(listFields(readSchema(name)))
  })

  test.each(Object.entries(builtinProviders))('of the provider %s', async (type, load) => {
    const { configSchema, optionsSchema } = (await load()).capabilities
    expect(fieldsOf(configCoverage[type])).toEqual(listAll(configSchema))
    expect(fieldsOf(optionsCoverage[type])).toEqual(listAll(optionsSchema))
  })

  test('of a provider that there is', () => {
    const types = Object.keys(builtinProviders).sort()
    expect(Object.keys(configCoverage).sort()).toEqual(types)
    expect(Object.keys(optionsCoverage).sort()).toEqual(types)
  })

  test('every key of the policy bounds something', () => {
    const { properties } = readSchema('host-configuration')
    const keys = Object.keys(properties?.policy?.properties ?? {}).sort()
    const coverages = [
      facilityCoverage,
      supervisorCoverage,
      ...Object.values(configCoverage),
      ...Object.values(optionsCoverage),
    ]
    const used = coverages
      .flatMap(coverage => Object.values(coverage))
      .flatMap(bound => (typeof bound === 'string' ? [] : bound))
    expect([...new Set<string>(used)].sort()).toEqual(keys)
  })

  test('docs/policy.md has all of it (vitest -u writes it anew)', async () => {
    const tables: [string, Coverage][] = [
      ['Facility', facilityCoverage],
      ['Supervisor', supervisorCoverage],
      ...Object.entries(configCoverage).map(([type, coverage]): [string, Coverage] => [
        `spec.config.${type} of a Facility`,
        coverage,
      ]),
      ...Object.entries(optionsCoverage).map(([type, coverage]): [string, Coverage] => [
        `spec.${type} of a Supervisor`,
        coverage,
      ]),
    ]
    await expect(renderPolicyPage(tables)).toMatchFileSnapshot('../../../../docs/policy.md')
  })
})
