import type { Definition } from '../../core/model/definition.ts'
import type { ResolvedFacility } from '../../core/model/resolved-facility.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'

export interface DefinitionCheckOptions {
  readonly instances: ReadonlyMap<string, BoundInstance>
  /** Whether the definition is about to be written. Others aren't checked. */
  isChanged(target: ResolvedFacility): boolean
  limited<T>(asked: Promise<T>): Promise<T>
}

type Checked = ResolvedFacility & { readonly definition: Definition }

/** Adds the problems that supervisors find in definitions about to be written. Each supervisor is asked once, for all of its own. */
export async function checkDefinitions(
  targets: readonly ResolvedFacility[],
  { instances, isChanged, limited }: DefinitionCheckOptions,
): Promise<readonly ResolvedFacility[]> {
  const changed = targets.filter(isChecked).filter(isChanged)
  const supervisors = new Set(changed.map(({ facility }) => facility.supervisor))
  const problems = new Map<ResolvedFacility, string>()
  await Promise.all(
    [...supervisors].map(async supervisor => {
      const checked = changed.filter(({ facility }) => facility.supervisor === supervisor)
      const found = await ask(instances.get(supervisor), checked, limited)
      for (const target of checked) {
        const problem = found?.get(target.facility.service)
        if (problem !== undefined) problems.set(target, problem)
      }
    }),
  )
  if (problems.size === 0) return targets
  return targets.map(target => {
    const problem = problems.get(target)
    return problem === undefined ? target : { ...target, problems: [...target.problems, problem] }
  })
}

function isChecked(target: ResolvedFacility): target is Checked {
  return target.definition !== undefined && target.problems.length === 0
}

/** Undefined if the supervisor can't be asked: the installation asks again. */
async function ask(
  bound: BoundInstance | undefined,
  checked: readonly Checked[],
  limited: DefinitionCheckOptions['limited'],
): Promise<ReadonlyMap<string, string> | undefined> {
  if (!bound) return undefined
  const services = checked.map(({ facility: { service }, definition }) => ({ service, definition }))
  try {
    const asked = bound.observer.verify?.(services)
    return asked && (await limited(asked))
  } catch {
    return undefined
  }
}
