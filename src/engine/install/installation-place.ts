import { findHostingRefusal } from '../../core/contracts/hosting.ts'
import type { Availability, Provider } from '../../core/contracts/provider.ts'
import { ReeveError } from '../../core/reeve-error.ts'

/** Supervisor that runs the controller, and the rule by which it was chosen. */
export interface InstallationPlace {
  readonly supervisor: string
  /** For people, as the end of a sentence. */
  readonly why: string
}

export interface PlaceQuestion {
  /** `--supervisor NAME`. */
  readonly wanted?: string
  /** Supervisor that the controller is installed under already. */
  readonly installed: readonly string[]
  /** Default supervisor of the host configuration. */
  readonly defaultSupervisor: string
  /** Provider types, the preferred first. Each has a default instance of its name. */
  readonly providers: ReadonlyMap<string, Provider>
  /** Type of each supervisor by its name. */
  readonly types: ReadonlyMap<string, string>
  readonly availability: ReadonlyMap<string, Availability>
}

/**
 * Chooses the requested supervisor, else the one that the controller is installed under, else the default of the host
 * configuration, else the first of the host's own. Unsuitable ones are passed over, but for the requested one. Throws ReeveError
 * `not-found`, `refused` or `unavailable`, with the reason for each.
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
  const refusal = findHostingRefusal(providers.get(types.get(name) ?? ''))
  if (refusal !== undefined) return { code: 'refused', message: refusal }
  const found = availability.get(name)
  if (found?.available) return undefined
  return { code: 'unavailable', message: found?.reason ?? 'there is no such supervisor' }
}
