import type { ReadHost } from '../../src/core/provider.ts'
import { messageOf } from '../../src/core/reeve-error.ts'
import { parseDefinition, type ServiceDefinition } from './definition.ts'
import { definitionPath, type Layout } from './layout.ts'

export function readDefinition(host: ReadHost, layout: Layout, service: string): ServiceDefinition {
  try {
    return parseDefinition(host.readText(definitionPath(layout, service)))
  } catch (error) {
    return { kind: 'invalid', problem: messageOf(error), ownership: undefined }
  }
}
