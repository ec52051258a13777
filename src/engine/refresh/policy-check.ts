import type { ReadHost } from '../../core/contracts/host.ts'
import type { Provider } from '../../core/contracts/provider.ts'
import type { Facility, Instance } from '../../core/model/facility.ts'
import { createPathFollower } from '../../core/paths/path-permissions.ts'
import { checkPolicy, checkSupervisorPolicy, isRestricted, usualPlaces } from '../../core/policy/policy.ts'
import { tryTo } from '../../core/try-to.ts'
import type { Session } from '../session/session.ts'

/**
 * Says why the host's policy (S3) refuses a facility on this host as it is now. The manifests were checked when they were read; this
 * also checks whether others could change where a path leads. Every step that changes something asks again.
 */
export type PolicyCheck = (facility: Facility, instance: Instance, provider: Provider) => readonly string[]

/** Check for one refresh or one step: it remembers what paths were found to be. */
export function createPolicyCheck(session: Pick<Session, 'configuration' | 'manifests' | 'readHost'>): PolicyCheck {
  const { policy } = session.configuration
  if (!isRestricted(policy)) return () => []
  const { readHost: host, manifests } = session
  const { places, runsAsRoot = false, insecurePermissions = false } = manifests
  const followed = createPathFollower(lenient(host), host.userId(), name => host.findUser(name)?.uid)
  const follow: typeof followed = (path, user) => {
    const found = followed(path, user)
    return found && insecurePermissions ? { entry: found.entry, end: found.end } : found
  }
  return (facility, instance, provider) => {
    const directories = provider.directories?.(instance) ?? []
    return [
      ...checkSupervisorPolicy(instance, policy, { follow, directories, usual: usualPlaces(places) }),
      ...checkPolicy(facility, policy, {
        type: instance.type,
        runsAsRoot,
        besideOutput: provider.capabilities.besideOutput,
        follow,
        places,
      }),
    ].map(({ message }) => message)
  }
}

/** A path that can't be read counts as missing: it isn't used then. */
function lenient(host: ReadHost): Pick<ReadHost, 'facts' | 'readLink'> {
  return {
    facts: path => tryTo(() => host.facts(path)),
    readLink: path => tryTo(() => host.readLink(path)),
  }
}
