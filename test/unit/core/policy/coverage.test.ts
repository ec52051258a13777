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

describe('S11: the policy coverage table has a row for every field, and a field for every row:', () => {
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

  test('each row of a provider is of an existing provider', () => {
    const types = Object.keys(builtinProviders).sort()
    expect(Object.keys(configCoverage).sort()).toEqual(types)
    expect(Object.keys(optionsCoverage).sort()).toEqual(types)
  })

  test('every key of the policy bounds some field', () => {
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

  test('docs/policy.md contains the whole table (vitest -u updates it)', async () => {
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
