import type { ExitCode } from '../cli/command-io.ts'
import { type CommandContext, jsonText, type OutputFormat } from '../cli/context.ts'
import { wrap } from '../cli/screen.ts'
import { type Explanation, explainField } from '../manifest/explanation.ts'

export interface ExplainOptions {
  readonly output: OutputFormat
}

const kinds = ['Facility', 'Supervisor', 'HostConfiguration']

/** The schema's words for a field and for what can stand below it; without a path, for the kinds of documents. */
export async function explain(
  context: CommandContext,
  path: string | undefined,
  options: ExplainOptions,
): Promise<ExitCode> {
  const explanations = (path === undefined ? kinds : [path]).map(each => explainField(each))
  const { out } = context
  if (options.output === 'json') out.writeExact(jsonText(path === undefined ? explanations : explanations[0]))
  else out.write(explanations.map(each => explanationText(each, context)).join('\n'))
  return 0
}

/** The paths that may go on from an unfinished one, for completion. */
export function fieldCandidates(unfinished: string): [path: string, type: string][] {
  const end = unfinished.lastIndexOf('.')
  if (end < 0) return [...kinds.map((kind): [string, string] => [kind, '']), ...below('')]
  return below(unfinished.slice(0, end))
}

function below(parent: string): [path: string, type: string][] {
  return explainField(parent).children.map(({ name, type }) => [parent === '' ? name : `${parent}.${name}`, type])
}

function explanationText(explanation: Explanation, { out }: CommandContext): string {
  const { colors } = out
  const width = out.width() ?? 100
  const lines = [
    `${colors.bold(explanation.path)}  ${colors.dim(explanation.type)}`,
    ...wrap(explanation.description, width, 2),
  ]
  for (const child of explanation.children) {
    const needed = child.required ? `  ${colors.yellow('required')}` : ''
    lines.push('', `  ${colors.bold(child.name)}  ${colors.dim(child.type)}${needed}`)
    lines.push(...wrap(child.description, width, 6))
  }
  return lines.map(line => `${line}\n`).join('')
}
