import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { messageOf } from '../../../src/core/reeve-error.ts'
import { parseDefinition, type ServiceDefinition } from './definition.ts'
import { definitionPath, type Layout } from './layout.ts'

export type ReadDefinition = (service: string) => ServiceDefinition

/**
 * Reads like `readDefinition`, and parses once per content: a pass reads each definition more than once, and the next pass
 * finds most of them unchanged.
 */
export function createDefinitionReader(layout: Layout, host: ReadHost): ReadDefinition {
  const known = new Map<string, { readonly text: string; readonly definition: ServiceDefinition }>()
  return service => {
    const path = definitionPath(layout, service)
    return guard(() => {
      const text = host.readText(path)
      const before = known.get(path)
      if (before !== undefined && before.text === text) return before.definition
      const definition = parseDefinition(text)
      if (text === undefined) known.delete(path)
      else known.set(path, { text, definition })
      return definition
    })
  }
}

export function readDefinition(host: ReadHost, layout: Layout, service: string): ServiceDefinition {
  return guard(() => parseDefinition(host.readText(definitionPath(layout, service))))
}

function guard(read: () => ServiceDefinition): ServiceDefinition {
  try {
    return read()
  } catch (error) {
    return { kind: 'invalid', problem: messageOf(error), ownership: undefined }
  }
}
