/** The names that a supervisor takes. */
export interface ServiceNames {
  /** A regular expression for the whole name. */
  readonly pattern: string
  /** The same for people: `letters, digits and …`. */
  readonly words: string
}

/** Part of a provider that knows its supervisor's names; see `Provider`. */
interface NameRules {
  readonly serviceNames?: ServiceNames
  findNameProblem?(service: string): string | undefined
}

/** Default: the names that facilities may have. */
const usual: ServiceNames = {
  pattern: '[A-Za-z0-9][A-Za-z0-9_.@:-]{0,199}',
  words: 'letters, digits and _ . @ : -, beginning with a letter or digit, at most 200 characters',
}

/** True if the supervisor accepts the name. */
export function takesName({ serviceNames = usual }: Pick<NameRules, 'serviceNames'>, service: string): boolean {
  return new RegExp(`^(?:${serviceNames.pattern})$`, 'u').test(service)
}

/** Why this service name is invalid here, for people; undefined: it is valid. */
export function findServiceNameProblem(rules: NameRules, service: string): string | undefined {
  const { words } = rules.serviceNames ?? usual
  if (!takesName(rules, service)) return `expected a name of ${words}, found ${service}`
  return rules.findNameProblem?.(service)
}
