import type { Definition } from '../model/definition.ts'
import type { Facility, Instance, PortableField } from '../model/facility.ts'
import type { ServiceNames } from '../model/service-name.ts'
import type { StartNeeds } from '../model/start-needs.ts'
import type { Verb } from '../plan/verb.ts'
import type { Observed, OwnedService, Ownership } from '../state/observed.ts'
import type { BesideOutput } from '../state/output-places.ts'
import type { ServiceTies } from '../state/relation.ts'
import type { Unwritable } from '../state/unwritable.ts'
import type { Clock } from './clock.ts'
import type { ReadHost, WriteHost } from './host.ts'
import type { Log } from './log.ts'
import type { QueryRules } from './query-rules.ts'

/**
 * Contract between Reeve and a type of supervisor. A provider declares its capabilities, renders definitions, and opens supervisor
 * instances: an `Observer` observes one, an `Applier` acts on it; only the core compares. Optional members say what their absence means.
 *
 * Guarantees of a provider, which `reeve/conformance` checks:
 * - `render` is pure: the same facility gives the same bytes.
 * - An observer changes nothing: its host can't write (E2).
 * - Every action is idempotent. After SIGKILL at any point it can be repeated, and ends as without the interruption.
 * - A definition carries Reeve's marker (`Ownership`), and `list` finds it there, not in a record of its own.
 * - If the supervisor doesn't answer, the state is `unknown` with a message, never `stopped` or `absent`.
 * - Instances that are open at the same time don't affect one another.
 */
export interface Provider {
  // Required.
  /** Name in `spec.type` of a Supervisor, and key of `spec.config`: `systemd`, `runit`, … */
  readonly type: string
  readonly capabilities: Capabilities
  /**
   * Definition of a facility that has `process` or `config`. Problems name the field, e.g. `process.umask`. `servicePaths`: paths of
   * `process` that root must not open for the service, because others can lead them elsewhere; the service's own user opens them, if it
   * has one (S8). Absent: none.
   */
  render(facility: Facility, instance: Instance, ownership: Ownership, servicePaths?: ReadonlySet<string>): Rendered
  /**
   * Observer of this instance, which is opened once and kept. Opening only gets hold of what it needs: the supervisor may not exist yet,
   * and is queried by the methods.
   */
  openObserver(instance: Instance, tools: ObserverTools): Observer
  /** Applier for this instance, open while the writer's lock is held. */
  openApplier(instance: Instance, tools: ApplierTools): Applier

  // Most want these.
  /** Identity of the supervisor. Absent: each instance name is another supervisor, and a change of options moves its services. */
  identify?(instance: Instance): Identity
  /**
   * Directories, as absolute paths, in which Reeve writes what this instance reads and runs. The policy limits them (S3). Absent: only
   * paths that its options name.
   */
  directories?(instance: Instance): readonly string[]

  // Rare: none of these is needed to begin.
  /** Service names that its supervisor accepts. Absent: those of facilities (`metadata.name`). */
  readonly serviceNames?: ServiceNames
  /**
   * Reason why a name that `serviceNames` accepts is invalid for a service, for people: mostly that another name means the same
   * service. Absent: each name is a service of its own.
   */
  findNameProblem?(service: string): string | undefined
  /** Reason why a service of that name can't be in that state, for people: a template doesn't run. Absent: all can. */
  findStateProblem?(service: string, state: Facility['state']): string | undefined
  /** `controller`: after a boot only a controller of Reeve starts the supervisor. Absent: the host starts it. */
  readonly startedBy?: 'controller'
}

/** Identity of a supervisor. Absolute directories are compared by where they lead, other words as they are. */
export interface Identity {
  /**
   * Directory that belongs to the supervisor alone, or words. Two instances with the same place are one supervisor under two names: a
   * declared one replaces a default one, and two declared ones are an error.
   */
  readonly place: string
  /**
   * Further directories, or words, that say where its services are. Instances with the same layout are the same, however their options
   * are written, and no service has to move between them.
   */
  readonly layout?: readonly string[]
}

export interface ObserverTools {
  /** Host that makes only the queries in `capabilities`. */
  readonly host: ReadHost
  readonly clock: Clock
  readonly log: Log
}

export interface ApplierTools extends ObserverTools {
  readonly host: WriteHost
}

/** Observer of one supervisor instance. Disposing of it twice is as once; pending queries then fail. */
export interface Observer extends Disposable {
  // Required.
  /** Whether the supervisor is there and answers. One that throws ReeveError `unavailable` doesn't, for that reason. */
  probe(): Promise<Availability>
  /**
   * All services of this instance that carry a marker of any Reeve. It is called before `probe` too, for supervisors that no manifest
   * names: one that isn't on this host has none.
   */
  list(): Promise<OwnedService[]>
  /**
   * The state of each named service: many at once, as cheaply as the supervisor allows. Every name gets an answer; if this throws
   * ReeveError `unavailable`, as a query of the host does, all are `unknown` for that reason.
   */
  observe(services: readonly string[]): Promise<Map<string, Observed>>

  // Most want these.
  /**
   * Watch that calls `hint` when something may have changed. Hints may be lost, doubled or wrong; the engine observes again. Absent:
   * changes are seen at the next resync, up to 30 s later. The conformance suite requires it.
   */
  watch?(hint: (service?: string) => void): Disposable
  /**
   * A service of others that is to be adopted or added to, observed as if it had the definition already. If its process was started with
   * just that, apart from Reeve's additions, `loaded` has the digest of the definition and no restart follows (E20); otherwise
   * `stale` gives the reason. Absent: `observe` gives all that can be known.
   */
  observeAdoptable?(service: string, definition: Definition): Promise<Observed>
  /**
   * Relations of services by name, as they will be once their definitions are in place: from these, and from what else is on the host.
   * Absent: none, and each name is a service of its own.
   */
  relate?(services: readonly DeclaredService[], options: RelateOptions): Promise<ReadonlyMap<string, ServiceTies>>

  // Rare: none of these is needed to begin.
  /** Problems of a definition on this host: paths that root would have to open, and that others can lead elsewhere. */
  findHostProblems?(facility: Facility, definition: Definition): readonly string[]
  /**
   * Start needs of the service on this host, if native configuration overrides or replaces `spec.process`. The engine checks them before
   * it shows a plan, and before it stops a running service for a change. Absent, or undefined: those of `Definition.process`, or of
   * `spec.process` if there is no native configuration.
   */
  startNeeds?(facility: Facility, definition: Definition): StartNeeds | undefined
  /**
   * Problems that the supervisor's own check finds in definitions before their installation, by service, for people. It may miss some.
   * Absent: the supervisor has no such check.
   */
  verify?(
    services: readonly { readonly service: string; readonly definition: Definition }[],
  ): Promise<ReadonlyMap<string, string>>
  /**
   * Last lines of a service's output, at most `count`, if they are in no file. Absent: `Observed.output` names the file, if there is one.
   */
  readLastLines?(service: string, count: number): Promise<readonly string[]>
  /** Service that a process belongs to, also if it isn't the main process. Undefined: unknown, or none of this instance. */
  serviceOf?(pid: number): string | undefined
  /** Other names of the service on this host. Absent: none. */
  aliasesOf?(service: string): readonly string[]
}

/** Applier for one supervisor instance. Disposing of it twice is as once. */
export interface Applier extends Disposable {
  // Required.
  /**
   * Carries out a batch of actions on different services side by side, and reports each as it ends. Resolves when all have been
   * reported. An action that isn't reported counts as failed. Batches may overlap. `eachAction` makes this method from one function for
   * each verb.
   */
  apply(actions: readonly Action[], report: Report): Promise<void>

  // Rare: not needed to begin.
  /**
   * Records what the processes of these services have read, after `Observed.isUnrecorded`. Absent: nothing has to be recorded.
   */
  keepRuns?(services: readonly string[]): Promise<void>
}

export interface Capabilities extends QueryRules {
  /** Fields of `spec.process` that it honours. Any other is an error that names field, facility and provider. */
  readonly process: readonly PortableField[]
  /** Reasons why it can't honour others, and alternatives, for people. */
  readonly refusals?: Partial<Readonly<Record<PortableField, string>>>
  /** Places besides its file where a service's output is written. Absent: none. */
  readonly besideOutput?: BesideOutput
  /** JSON Schema of `spec.config.<type>`; absent: it takes no native configuration. */
  readonly configSchema?: object
  /**
   * Key that gets the content of the file that `spec.config.<type>.source` names, beside the manifest: `text`. The provider gets it
   * instead of `source`; both are in the schema. Absent: `source` has no such meaning.
   */
  readonly configSource?: string
  /** Tables in `spec.config.<type>` with such a `source` of their own, by key; `*` is any: `['timer', 'dropIns.*']`. Absent: none. */
  readonly configSourceIn?: readonly string[]
  /** JSON Schema of `spec.<type>` of a Supervisor; absent: it takes no options. */
  readonly optionsSchema?: object
}

export type Availability =
  | {
      readonly available: true
      /** Version of the supervisor, if known. */
      readonly version?: string
      /** Portable fields that this instance can't honour though its type can, and why (`user`: it doesn't run as root). */
      readonly lacks?: Partial<Readonly<Record<PortableField, string>>>
      /** Places where it can't write its records; it acts all the same. Absent: none. */
      readonly unwritable?: readonly Unwritable[]
    }
  | { readonly available: false; readonly reason: string }

export type Rendered =
  | { readonly definition: Definition }
  | { readonly problems: readonly { readonly field: string; readonly message: string }[] }

/** A service as a facility declares it; or, without a definition, one of Reeve's that no facility declares any more. */
export interface DeclaredService {
  readonly service: string
  readonly enabled: Facility['enabled']
  /** Absent: Reeve writes no definition. */
  readonly definition?: Definition
  /** As `Observed.definitionFiles`: files that the new definition lacks are about to be removed. */
  readonly definitionFiles?: readonly string[]
}

export interface RelateOptions {
  /** True: the manifests may be for another host, so only what is declared counts, and no supervisor is queried. */
  readonly isElsewhere?: boolean
}

/** Verbs of a provider. The engine itself writes the configuration files of a facility. */
export type ServiceVerb = Exclude<Verb, 'write-file' | 'remove-file' | 'restore-file'>

export interface Action {
  /** Id of the step. */
  readonly id: string
  readonly verb: ServiceVerb
  readonly service: string
  /** Definition for `install`. */
  readonly definition?: Definition
  /** For `start`: starts now what its timer, socket or path would start, and leaves these as they are. */
  readonly startsJob?: boolean
  /** Signal that the action isn't wanted any more: stop waiting, and report failure. */
  readonly signal: AbortSignal
  /** Report of a long wait that is nobody's fault; the text continues "waits for …". */
  readonly waits?: (until: string) => void
}

export type ActionResult =
  | { readonly id: string; readonly ok: true }
  | { readonly id: string; readonly ok: false; readonly error: Error }

export type Report = (result: ActionResult) => void
