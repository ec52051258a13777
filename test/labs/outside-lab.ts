import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import { loadProviders } from '../../src/engine/session/provider-loading.ts'
import { createReadHost } from '../../src/host/read-host.ts'

const template = join(import.meta.dirname, '../../providers/template')

/** Module of the provider that `reeve create-provider` writes. */
export const templateModule: string = join(template, 'provider.mjs')

/** Harness that `reeve create-provider` writes, with the provider loaded as the host configuration has it loaded. */
export async function createTemplateHarness(): Promise<ConformanceHarness> {
  const { harness }: { harness: ConformanceHarness } = await import(join(template, 'harness.mjs'))
  return loadInto(harness, templateModule)
}

/** The same harness, of a provider that is loaded from a module. */
export async function loadInto(
  harness: Omit<ConformanceHarness, 'provider'>,
  module: string,
): Promise<ConformanceHarness> {
  const own = await loadProviders([], createReadHost(), { checkPermissions: false })
  const all = await loadProviders([module], createReadHost(), { checkPermissions: false })
  const [provider] = [...all.values()].filter(({ type }) => !own.has(type))
  assert.ok(provider)
  return { ...harness, provider, module }
}
