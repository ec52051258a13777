import type { Availability, Provider } from '../../core/contracts/provider.ts'
import { ReeveError } from '../../core/reeve-error.ts'

/** The supervisor that is to run the controller, and by which rule it was chosen. */
export interface InstallationPlace {
  readonly supervisor: string
  /** For people, as the end of a sentence. */
  readonly why: string
}

export interface PlaceQuestion {
  /** `--supervisor NAME`. */
  readonly wanted?: string
  /** Where the controller is installed already. */
  readonly installed: readonly string[]
  /** Of the host configuration. */
  readonly defaultSupervisor: string
  /** By type, the preferred first. Each has a default instance of its name. */
  readonly providers: ReadonlyMap<string, Provider>
  /** The type of each supervisor that there is, by name. */
  readonly types: ReadonlyMap<string, string>
  readonly availability: ReadonlyMap<string, Availability>
}

/**
 * The one asked for; else where it is installed already; else the host configuration's default one; else the first of the
 * host's own. Of the last three, one that can't do it is passed over. Throws ReeveError: `not-found`, `refused` or
 * `unavailable`, with what is wrong with each.
 */
export function choosePlace(question: PlaceQuestion): InstallationPlace {
  const { wanted, installed, defaultSupervisor, providers, types } = question
  if (wanted !== undefined) {
    if (!types.has(wanted)) {
      const known = [...types.keys()].sort().join(', ')
      throw new ReeveError(
        'not-found',
        `there is no supervisor ${wanted}: expected one of ${known}, or one that a manifest declares with kind: Supervisor`,
      )
    }
    const problem = findPlaceProblem(wanted, question)
    if (problem) throw new ReeveError(problem.code, `supervisor ${wanted} can't run the controller: ${problem.message}`)
    return { supervisor: wanted, why: 'as asked for' }
  }
  const candidates: InstallationPlace[] = [
    ...installed.map(supervisor => ({ supervisor, why: 'where the controller is installed already' })),
    { supervisor: defaultSupervisor, why: 'the default of the host configuration' },
    ...[...providers.keys()].map(supervisor => ({ supervisor, why: 'the first of this host that answers' })),
  ]
  const problems = new Map<string, string>()
  for (const candidate of candidates) {
    const problem = findPlaceProblem(candidate.supervisor, question)
    if (!problem) return candidate
    problems.set(candidate.supervisor, problem.message)
  }
  const lines = [...problems].map(([name, message]) => `\n  ${name}: ${message}`)
  throw new ReeveError(
    'unavailable',
    `expected a supervisor that can run the controller, found none. Start one, or name one with --supervisor:${lines.join('')}`,
  )
}

function findPlaceProblem(
  name: string,
  { providers, types, availability }: PlaceQuestion,
): { readonly code: 'refused' | 'unavailable'; readonly message: string } | undefined {
  const hosting = providers.get(types.get(name) ?? '')?.hosting
  if (hosting && 'refusal' in hosting) return { code: 'refused', message: hosting.refusal }
  const found = availability.get(name)
  if (found?.available) return undefined
  return { code: 'unavailable', message: found?.reason ?? 'there is no such supervisor' }
}
