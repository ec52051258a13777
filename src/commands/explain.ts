import { createRequire } from 'node:module'
import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat } from '../cli/context.ts'
import { findField, rootField, type SchemaField, type SchemaKind } from '../cli/schema-field.ts'
import { wrap } from '../cli/screen.ts'

export interface ExplainOptions {
  readonly output: OutputFormat
}

/** The schema's words for a field and for what can stand below it; without a path, for the kinds of documents. */
export async function explain(
  context: CommandContext,
  path: string | undefined,
  options: ExplainOptions,
): Promise<ExitCode> {
  const kinds = readKinds()
  const fields = path === undefined ? kinds.map(rootField) : [findField(kinds, path)]
  const { out } = context
  if (options.output === 'json') out.write(jsonText(path === undefined ? fields : fields[0]))
  else out.write(fields.map(field => fieldText(field, context)).join('\n'))
  return 0
}

function readKinds(): SchemaKind[] {
  const require = createRequire(import.meta.url)
  return [
    { kind: 'Facility', schema: require('#schemas/facility.schema.json') },
    { kind: 'Supervisor', schema: require('#schemas/supervisor.schema.json') },
    { kind: 'HostConfiguration', schema: require('#schemas/host-configuration.schema.json') },
  ]
}

function fieldText(field: SchemaField, { out }: CommandContext): string {
  const { colors } = out
  const width = out.width() ?? 100
  const title = field.path.length === 0 ? field.kind : `${field.path.join('.')}`
  const owner = field.path.length === 0 ? '' : `  ${colors.dim(`${field.kind}, ${field.type}`)}`
  const lines = [`${colors.bold(title)}${owner}`, ...wrap(field.description, width, 2)]
  for (const child of field.fields) {
    const needed = child.required ? colors.yellow(' required') : ''
    lines.push('', `  ${colors.bold(child.path.at(-1) ?? '')}  ${colors.dim(child.type)}${needed}`)
    lines.push(...wrap(child.description, width, 6))
  }
  return lines.map(line => `${line}\n`).join('')
}

/** The paths that may go on from an unfinished one, for completion. */
export function fieldCandidates(unfinished: string): [path: string, type: string][] {
  const kinds = readKinds()
  const parent = unfinished.includes('.') ? unfinished.slice(0, unfinished.lastIndexOf('.')) : undefined
  if (parent === undefined) {
    const facility = kinds.slice(0, 1).flatMap(kind => rootField(kind).fields)
    return [
      ...kinds.map(({ kind }): [string, string] => [kind.toLowerCase(), '']),
      ...facility.map((field): [string, string] => [field.path.join('.'), field.type]),
    ]
  }
  return findField(kinds, parent).fields.map(field => [`${parent}.${field.path.at(-1)}`, field.type])
}
