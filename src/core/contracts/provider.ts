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
 * The contract between Reeve and a kind of supervisor. A provider says what can be had, renders definitions, and opens supervisors:
 * an `Observer` looks at one, an `Applier` acts on it; only the core compares. What none of them says is absent, and then what its
 * comment says holds.
 *
 * Guarantees that a provider gives, and that `reeve/conformance` checks:
 * - `render` is pure; the same facility gives the same bytes.
 * - An observer changes nothing: its host has no way to write (E2).
 * - Every action is idempotent, and may be cut off at any point by SIGKILL: done again, it ends as if undisturbed.
 * - A definition carries Reeve's marker (`Ownership`), and `list` finds it there, not in a memory of its own.
 * - Where the supervisor can't be asked, the state is `unknown` with a message, never `stopped` or `absent`.
 * - Instances that are open at the same time don't disturb one another.
 */
export interface Provider {
  // Required.
  /** What `spec.type` of a Supervisor and the keys of `spec.config` say: `systemd`, `runit`, … */
  readonly type: string
  readonly capabilities: Capabilities
  /**
   * The definition of a facility that has `process` or `config`. Problems name the field, e.g. `process.umask`.
   * `servicePaths`: those of `process` that root must not open or read for the service, as others can lead them elsewhere:
   * its own user does, where it has one (S8). Absent: there are none.
   */
  render(facility: Facility, instance: Instance, ownership: Ownership, servicePaths?: ReadonlySet<string>): Rendered
  /**
   * For those who look at the supervisor of this instance: once, and kept as long as they look. It only gets hold of what it needs; the
   * supervisor may not be there yet, and is asked by the methods.
   */
  openObserver(instance: Instance, tools: ObserverTools): Observer
  /** For those who act on it, as long as they hold the lock. */
  openApplier(instance: Instance, tools: ApplierTools): Applier

  // Most want these.
  /** Which supervisor the options mean. Absent: each name means another, and things move when the options change. */
  identify?(instance: Instance): Identity
  /**
   * Where Reeve writes what this instance reads, and runs what it finds there: absolute. The host's owner bounds it (S3).
   * Absent: only what its options say in so many words.
   */
  directories?(instance: Instance): readonly string[]

  // Rare: none of these is needed to begin.
  /** The names that its supervisor takes. Absent: those that facilities may have (`metadata.name`). */
  readonly serviceNames?: ServiceNames
  /**
   * Why no facility's service can be called so, though `serviceNames` has the name, for people: mostly that another name means the same one, as two facilities
   * must not. Absent: each name is a service of its own.
   */
  findNameProblem?(service: string): string | undefined
  /** Why nothing of that name can be in that state, for people: what is only a pattern for others doesn't run. Absent: all can. */
  findStateProblem?(service: string, state: Facility['state']): string | undefined
  /** `controller`: nothing has the supervisor come up after a boot but a controller of Reeve. Absent: the host does. */
  readonly startedBy?: 'controller'
}

/** Which supervisor an instance means. Directories are absolute, and compared by where they lead; all else is compared as it is. */
export interface Identity {
  /**
   * A directory that the supervisor has for itself, or words. Two instances of one place are one supervisor under two names: of a
   * default and a declared one only the declared is looked at, and two declared ones are an error.
   */
  readonly place: string
  /**
   * Where its things are, if that is more than its place: directories, or words. Instances that are alike in this are the same, however
   * their options are written: what stands under one stands under the other, and nothing has to move.
   */
  readonly layout?: readonly string[]
}

export interface ObserverTools {
  /** It can run `capabilities.queries` and make `capabilities.busQueries`. */
  readonly host: ReadHost
  readonly clock: Clock
  readonly log: Log
}

export interface ApplierTools extends ObserverTools {
  readonly host: WriteHost
}

/** Looks at the supervisor of one instance. Dispose of it twice, and it is as once; what was asked and not answered then fails. */
export interface Observer extends Disposable {
  // Required.
  /** Whether the supervisor is there and answers. One that throws ReeveError `unavailable` doesn't, for that reason. */
  probe(): Promise<Availability>
  /**
   * All services of this instance that carry a Reeve's marker, whichever Reeve's. Asked also before `probe`, of
   * supervisors that nobody names: what isn't on this host at all holds none.
   */
  list(): Promise<OwnedService[]>
  /**
   * The state of each named service: many at once, as cheaply as the supervisor allows. Every name gets an answer; if this throws
   * ReeveError `unavailable`, as a query of the host does, all are `unknown` for that reason.
   */
  observe(services: readonly string[]): Promise<Map<string, Observed>>

  // Most want these.
  /**
   * Calls `hint` when something may have changed. Hints may be lost, doubled, or wrong; the engine observes anew. Absent: what changes
   * is seen at the next resync, as much as 30 s later; the conformance suite wants one.
   */
  watch?(hint: (service?: string) => void): Disposable
  /**
   * A service that isn't this Reeve's, as it is if all that the definition says is its own already: it is to be adopted, or added
   * to. Where what runs was started with just that, but for what Reeve adds, `loaded` has the digest of the definition, and nothing
   * has to be restarted (E20); else `stale` says why not. Absent: what `observe` says is all that can be known.
   */
  observeAdoptable?(service: string, definition: Definition): Promise<Observed>
  /**
   * What services have to do with one another once what is declared for them is in place, by name: by the definitions, and by what
   * else is on the host. Absent: nothing, and each name is a service of its own.
   */
  relate?(services: readonly DeclaredService[], options: RelateOptions): Promise<ReadonlyMap<string, ServiceTies>>

  // Rare: none of these is needed to begin.
  /** Why this host can't have what was rendered, as it is now: paths that root would have to open where others can lead it elsewhere. */
  findHostProblems?(facility: Facility, definition: Definition): readonly string[]
  /**
   * What a start of the service needs of this host, where `spec.process` doesn't say it: native configuration is laid over it, or
   * stands in its place. The engine looks whether it is there before a service that runs is stopped for a change, and before a plan is
   * shown. Absent, or undefined: what `Definition.process` says, else `spec.process` where there is no native configuration.
   */
  startNeeds?(facility: Facility, definition: Definition): StartNeeds | undefined
  /**
   * What the supervisor's own check finds in definitions that aren't in place yet, by service, for people: an `install` would be refused
   * for it. It may miss some. Absent: it has no such check.
   */
  verify?(
    services: readonly { readonly service: string; readonly definition: Definition }[],
  ): Promise<ReadonlyMap<string, string>>
  /**
   * The last lines that the service has written, or that its supervisor has of it, where these are in no file: at most so many.
   * Absent: `Observed.output` names the file, if there is one.
   */
  readLastLines?(service: string, count: number): Promise<readonly string[]>
  /** Of which service of this instance the process is a part, where that can be known though it isn't the main one. */
  serviceOf?(pid: number): string | undefined
  /** By which other names the service is known on this host. Absent: by none. */
  aliasesOf?(service: string): readonly string[]
}

/** Acts on the supervisor of one instance. Dispose of it twice, and it is as once. */
export interface Applier extends Disposable {
  // Required.
  /**
   * Carries out a batch of actions on different services, side by side, and reports each as it ends. Resolves when
   * all have been reported. An action that throws or isn't reported counts as failed. Batches may be under way at the same time.
   */
  apply(actions: readonly Action[], report: Report): Promise<void>

  // Rare: not needed to begin.
  /**
   * Writes down what the processes of these services have read, of which `Observed.isUnrecorded` says so. Asked by those who act,
   * after they have looked. Absent: nothing has to be.
   */
  keepRuns?(services: readonly string[]): Promise<void>
}

export interface Capabilities extends QueryRules {
  /** What of `spec.process` it can honour. What isn't here is an error that names field, facility and provider. */
  readonly process: readonly PortableField[]
  /** Why it can't honour others, and what to do instead, for people. */
  readonly refusals?: Partial<Readonly<Record<PortableField, string>>>
  /** Where the output of a service is written besides its file. Absent: nowhere. */
  readonly besideOutput?: BesideOutput
  /** JSON Schema of `spec.config.<type>`; absent: it takes no native configuration. */
  readonly configSchema?: object
  /**
   * `text`: where `spec.config.<type>.source` names a file beside the manifest, the provider gets what is in it as `text`,
   * and no `source`. Both stand in the schema. Absent: `source` has no such meaning.
   */
  readonly configSource?: string
  /** Tables in `spec.config.<type>` of which that goes too, by their keys; `*` is any: `['timer', 'dropIns.*']`. Absent: none. */
  readonly configSourceIn?: readonly string[]
  /** JSON Schema of `spec.<type>` of a Supervisor; absent: it takes no options. */
  readonly optionsSchema?: object
}

export type Availability =
  | {
      readonly available: true
      /** Of the supervisor, where it can be known. */
      readonly version?: string
      /** Portable fields that this instance can't honour though its type can, and why (`user`: it doesn't run as root). */
      readonly lacks?: Partial<Readonly<Record<PortableField, string>>>
      /** Where it can't write down what it does, which it does all the same. Absent: nowhere. */
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
  /** Absent: Reeve writes none. */
  readonly definition?: Definition
  /** As `Observed.definitionFiles`: those that the definition has no more are on their way out. */
  readonly definitionFiles?: readonly string[]
}

export interface RelateOptions {
  /** True: the manifests may be meant for another host: what is declared counts alone, and no supervisor is asked. */
  readonly isElsewhere?: boolean
}

/** The verbs that a provider carries out; files of the facility are written by the engine. */
export type ServiceVerb = Exclude<Verb, 'write-file' | 'remove-file' | 'restore-file'>

export interface Action {
  /** The step's. */
  readonly id: string
  readonly verb: ServiceVerb
  readonly service: string
  /** For `install`. */
  readonly definition?: Definition
  /** For `start`: what its timer, socket or path would start is to be started now, and these are left as they are. */
  readonly startsJob?: boolean
  /** Aborted when the action isn't wanted any more: stop waiting, and report what has been reached. */
  readonly signal: AbortSignal
  /** To be told of what takes long by nobody's fault: it continues the sentence "waits for …". */
  readonly waits?: (until: string) => void
}

export type ActionResult =
  | { readonly id: string; readonly ok: true }
  | { readonly id: string; readonly ok: false; readonly error: Error }

export type Report = (result: ActionResult) => void
