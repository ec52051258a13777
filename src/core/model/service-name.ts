/** The names that a supervisor takes. */
export interface ServiceNames {
  /** A regular expression for the whole name. */
  readonly pattern: string
  /** The same for people: `letters, digits and …`. */
  readonly words: string
}

/** What is asked of those who know which names their supervisor takes; see `Provider`. */
interface NameRules {
  readonly serviceNames?: ServiceNames
  findNameProblem?(service: string): string | undefined
}

/** Of a provider that says nothing else: the names that facilities may have. */
const usual: ServiceNames = {
  pattern: '[A-Za-z0-9][A-Za-z0-9_.@:-]{0,199}',
  words: 'letters, digits and _ . @ : -, beginning with a letter or digit, at most 200 characters',
}

/** Whether the supervisor can be asked of a service of that name at all. */
export function takesName({ serviceNames = usual }: Pick<NameRules, 'serviceNames'>, service: string): boolean {
  return new RegExp(`^(?:${serviceNames.pattern})$`, 'u').test(service)
}

/** Why no facility's service can be called so, for people; undefined: it can. */
export function findServiceNameProblem(rules: NameRules, service: string): string | undefined {
  const { words } = rules.serviceNames ?? usual
  if (!takesName(rules, service)) return `expected a name of ${words}, found ${service}`
  return rules.findNameProblem?.(service)
}
