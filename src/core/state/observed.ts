/**
 * What a supervisor says of a service, in the same normal form for every type. `unknown`, `stopped` and `absent` are
 * three things: from `unknown` no step ever follows.
 */
export type ServiceState = 'running' | 'starting' | 'stopping' | 'stopped' | 'failed' | 'absent' | 'unknown'

/** Reeve's marker, as it stands on a managed definition. It is all that says what may be changed or removed. */
export interface Ownership {
  /** Owner: `owner` of the host configuration. A marker of another owner counts as none. */
  readonly owner: string
  /** The facility that the definition was made for. */
  readonly facility: string
  /** Absolute paths of the configuration files that belong to it. */
  readonly files: readonly string[]
  /** Facilities that it needs: orders removals when the manifest is gone. */
  readonly dependsOn: readonly string[]
  /** False: leave the service alone when the manifest goes. */
  readonly prune: boolean
  /** True: the definition that carries it is an addition to a service that isn't ours; see `Definition.isAddition`. */
  readonly isAddition?: boolean
  /**
   * Where the service could meet another one, as `meetingPointsOf` says, but for `files`. Absent: a marker of an earlier
   * version, which doesn't say.
   */
  readonly meets?: readonly string[]
  /** The newest accepted revision of the source when it was written: see `formatMark`. Absent: there was no source. */
  readonly revision?: string
}

/**
 * What the running process read when it started, or when it was last reloaded; of one that ended by itself, what it had
 * read, where the supervisor remembers. Digests are hexadecimal SHA-256.
 */
export interface Loaded {
  /** `Definition.digest` of the definition that it was started with. */
  readonly definition: string
  /** Of the files named in the ownership, as they were on disk then; `absent` where there was none. */
  readonly files: Readonly<Record<string, string>>
}

/** End of a run. Both absent: unknown. */
export interface Exit {
  readonly code?: number
  /** Supervisor's meaning of the code: `EXEC: the program could not be executed`. */
  readonly meaning?: string
  /** Its name without SIG: `KILL`. */
  readonly signal?: string
}

export interface Observed {
  readonly service: string
  readonly state: ServiceState
  /**
   * Whether it starts at boot. `partly`: it takes several things, and not all are there. `fixed`: the supervisor can't
   * change it (systemd's static units).
   */
  readonly enabled: boolean | 'partly' | 'unknown' | 'fixed'
  /** False: the service's supervisor is dead, though the service may run. */
  readonly supervised: boolean
  /** The service ended by itself, as its restart policy allows, and is not to be started again for that. */
  readonly completed?: boolean
  /** Absent: the service carries no marker. */
  readonly ownership?: Ownership
  /** Absent: no process, or the supervisor can't tell (then a running one is taken to be out of date). */
  readonly loaded?: Loaded
  /** True: what `loaded` says may not be known any more at a later look, unless it is written down; see `Applier.keepRuns`. */
  readonly isUnrecorded?: true
  /**
   * When its process was started, in ms since 1970, rather too early than too late: a file of which `loaded` doesn't tell has been
   * read as it is if it is older. Absent: no process, or the supervisor can't tell.
   */
  readonly startedAt?: number
  /** Why an adopted service needs a restart, for people. Absent: it doesn't, or nothing runs. */
  readonly stale?: string
  /** True: its definition is one that an earlier version of Reeve has written; it means the same. */
  readonly isEarlierForm?: true
  /** False: its definition knows no reload, so that a reload is a restart. Absent: it can be reloaded, or the supervisor can't tell. */
  readonly canReload?: false
  readonly pid?: number
  /** When it came into this state: milliseconds since 1970. */
  readonly since?: number
  /** How its last run ended: while it runs, the run before this one. Absent: it has had none, or the supervisor can't tell. */
  readonly exit?: Exit
  /**
   * Failures in a row: how many of its last runs have ended by themselves before `GOOD_RUN` was over, or never came about,
   * and made the supervisor start it again (where it waits, the start to come included). 0 once a run has lasted for
   * `GOOD_RUN`, and when somebody asks for a start, a stop or a restart; the end of a good run makes it 1. Told while it
   * waits, and of a run that hasn't lasted for `GOOD_RUN` yet. Absent: the supervisor can't tell.
   */
  readonly restarts?: number
  /**
   * How often its supervisor has started it again of its own accord (where it waits, the start to come included) since
   * somebody last asked for a start or restart. Good runs don't reset it. Absent: the supervisor can't tell, or not cheaply.
   */
  readonly totalRestarts?: number
  /** Activation of a service that a timer, socket or path starts. Absent: its supervisor starts it. */
  readonly activation?: Activation
  /** Output: a path, or a command that shows it. */
  readonly output?: string
  /**
   * Files of the definition that is there, whatever is declared: those that the declared one has no more are taken away
   * as it is installed. Absent: it has no files but those that every definition has, or its digest tells.
   */
  readonly definitionFiles?: readonly string[]
  /** Files of others that change how it is run, laid over its definition: systemd's drop-ins. */
  readonly overrides?: readonly string[]
  /** Definition of others that ours would override. Absent: none but a file at the same path. */
  readonly others?: readonly OtherDefinition[]
  /** For people: why its runs end, where the supervisor knows more than how; the same while it waits and while it runs. */
  readonly cause?: string
  /** For people: why unknown or failed, what it is waiting for. */
  readonly message?: string
  /** For people: what of this host is in the way of a start. The engine adds it where a service doesn't run that should. */
  readonly hindrance?: string
}

/**
 * How what starts a service on occasion stands: a timer, a socket, a path that is watched. Then the state is theirs: `running`
 * means that they wait, and whether the service itself runs is told by `pid` and `lastRun`.
 */
export interface Activation {
  /** What they start, as the supervisor calls it: `backup.service`. */
  readonly starts: readonly string[]
  /** When a timer starts it next: milliseconds since 1970. Absent: nothing is due. */
  readonly nextRun?: number
  /** Absent: it has never been started, as far as the supervisor knows. */
  readonly lastRun?: Run
  /** Why the last finished run failed. */
  readonly failure?: Failure
  /** Of a socket that has a process for each connection: how many there have been, and are now. */
  readonly connections?: { readonly accepted: number; readonly open: number }
}

export interface Run {
  /** Milliseconds since 1970. Absent: the supervisor can't tell. */
  readonly began?: number
  readonly ended?: number
  /** `skipped`: a condition of its own kept it from running. `unknown`: its result isn't recorded. */
  readonly outcome: 'running' | 'succeeded' | 'failed' | 'skipped' | 'unknown'
  /** How it ended, in words. */
  readonly message?: string
}

export interface Failure {
  /** In words. */
  readonly message: string
  /** When: milliseconds since 1970. Absent: the supervisor can't tell. */
  readonly at?: number
}

/** Part of a definition that is of the service's name though not written for it, such as a packaged socket (E8). */
export interface OtherDefinition {
  /** A file that Reeve would write here would be read in its place. */
  readonly path: string
  /** For people. */
  readonly name: string
  /** By its marker. */
  readonly owner?: string
}

/** Observed state of a service whose supervisor doesn't answer. */
export function unknownService(service: string, message: string): Observed {
  return { service, state: 'unknown', enabled: 'unknown', supervised: false, message }
}

/** An owned service, as `Provider.list` finds it. */
export interface OwnedService {
  readonly service: string
  readonly ownership: Ownership
}

/** A file on the host as observed; `content` is undefined where `kind` isn't `file`, or nobody is to be shown it. */
export interface ObservedFile {
  readonly kind: 'file' | 'absent' | 'other'
  readonly content?: Uint8Array
  /** Of the content: hexadecimal SHA-256. Also where the content itself isn't kept. Absent for definitions. */
  readonly digest?: string
  /** As in `FileFacts`. */
  readonly changed?: number
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  /** As in `ResolvedFile`. */
  readonly ownerNames?: string
  /** Why the file can't be managed: it is a symlink, a directory, unreadable. */
  readonly problem?: string
  /** Why the file can't be removed: something is mounted there, or no removal is safe. */
  readonly keep?: string
}
