import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat, openCommandSession, openLog } from '../cli/context.ts'
import { wrap } from '../cli/screen.ts'
import type { Log } from '../core/contracts/log.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import { type Explanation, explainField, type SchemasByType } from '../manifest/schema/explanation.ts'

export interface ExplainOptions {
  readonly output: OutputFormat
}

const kinds = ['Facility', 'Supervisor', 'HostConfiguration']

/** Documents a field and what can stand below it; without a path, for the kinds of documents. */
export async function explain(
  context: CommandContext,
  path: string | undefined,
  options: ExplainOptions,
): Promise<ExitCode> {
  const schemas = await loadNativeSchemas(context, openLog(context, { level: 'warn' }))
  const explanations = (path === undefined ? kinds : [path]).map(each => explainField(each, schemas))
  const { out } = context
  if (options.output === 'json') out.writeExact(jsonText(path === undefined ? explanations : explanations[0]))
  else out.write(explanations.map(each => explanationText(each, context)).join('\n'))
  return 0
}

/** Schemas of this host's providers. If its configuration is unusable: of those in Reeve, with a warning in the log. */
export async function loadNativeSchemas(context: CommandContext, log: Log): Promise<SchemasByType> {
  const { providers } = await openCommandSession(context, undefined, log).catch(async error => {
    if (!(error instanceof ReeveError)) throw error
    log.warn({}, `only the providers that come with Reeve are explained: ${messageOf(error)}`)
    const { loadOwnProviders } = await import('../engine/session/provider-loading.ts')
    return { providers: await loadOwnProviders() }
  })
  return new Map([...providers].map(([type, { capabilities }]) => [type, capabilities]))
}

/** Paths that complete an unfinished one. */
export function fieldCandidates(unfinished: string, schemas: SchemasByType): [path: string, type: string][] {
  const end = unfinished.lastIndexOf('.')
  if (end < 0) return [...kinds.map((kind): [string, string] => [kind, '']), ...below('', schemas)]
  return below(unfinished.slice(0, end), schemas)
}

function below(parent: string, schemas: SchemasByType): [path: string, type: string][] {
  return explainField(parent, schemas).children.map(({ name, type }) => [
    parent === '' ? name : `${parent}.${name}`,
    type,
  ])
}

function defaultText({ default: value }: Pick<Explanation, 'default'>): string {
  return value === undefined ? '' : `  default: ${value}`
}

function explanationText(explanation: Explanation, { out }: CommandContext): string {
  const { colors } = out
  const width = out.width() ?? 100
  const lines = [
    `${colors.bold(explanation.path)}  ${colors.dim(explanation.type)}${defaultText(explanation)}`,
    ...wrap(explanation.description, width, 2),
  ]
  for (const child of explanation.children) {
    const needed = child.required ? `  ${colors.yellow('required')}` : ''
    lines.push('', `  ${colors.bold(child.name)}  ${colors.dim(child.type)}${needed}${defaultText(child)}`)
    lines.push(...wrap(child.description, width, 6))
  }
  return lines.map(line => `${line}\n`).join('')
}
