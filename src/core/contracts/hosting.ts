import type { Instance } from '../model/facility.ts'
import type { ReadHost } from './host.ts'
import type { Provider } from './provider.ts'

/** Provider with facts about Reeve's own controller as a service, for `reeve install` only. */
export interface HostingProvider extends Provider {
  /** Absent: its supervisors run the controller as they run any other service. */
  readonly hosting?: Hosting | HostingRefusal
}

/** Differences between the controller and other services. */
export interface Hosting {
  /** `spec.config.<type>` of the controller's facility. */
  readonly config?: unknown
  /** True: the supervisor keeps the output of its services. Otherwise the controller gets a file for it, where that is possible. */
  readonly keepsOutput?: boolean
  /** Options of the default instance, for the controller of the present user. Absent: the usual ones. */
  options?(host: ReadHost): Readonly<Record<string, unknown>>
  /** Advice for people on a controller there, e.g. that it ends with their session. */
  advise?(instance: Instance, host: ReadHost): string | undefined
}

export interface HostingRefusal {
  /** Why it can't be the supervisor of the controller, for people. */
  readonly refusal: string
}

export function findHostingRefusal(provider: HostingProvider | undefined): string | undefined {
  const { hosting } = provider ?? {}
  return hosting && 'refusal' in hosting ? hosting.refusal : undefined
}

export function hostingOf({ hosting }: HostingProvider): Hosting {
  return hosting && !('refusal' in hosting) ? hosting : {}
}
