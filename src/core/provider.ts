import type { Facility, Instance, PortableField, Process } from './facility.ts'
import type { Observed, OwnedService, Ownership } from './observed.ts'
import type { BesideOutput } from './output-places.ts'
import type { UnsafePart } from './path-safety.ts'
import type { ServiceTies } from './relation.ts'
import type { ServiceNames } from './service-name.ts'
import type { StartNeeds } from './start-needs.ts'
import type { Verb } from './step.ts'
import type { Unwritable } from './unwritable.ts'

/**
 * The contract between Reeve and a kind of supervisor. A provider observes and applies; only the core compares.
 *
 * Guarantees that a provider gives, and that `reeve/conformance` checks:
 * - `render` is pure; the same facility gives the same bytes.
 * - `probe`, `list`, `observe` and `watch` change nothing: the handle that they get has no way to write.
 * - Every action is idempotent, and may be cut off at any point by SIGKILL: done again, it ends as if undisturbed.
 * - A definition carries Reeve's marker (`Ownership`), and `list` finds it there, not in a memory of its own.
 * - Where the supervisor can't be asked, the state is `unknown` with a message, never `stopped` or `absent`.
 */
export interface Provider {
  /** What `spec.type` of a Supervisor and the keys of `spec.config` say: `systemd`, `runit`, … */
  readonly type: string
  readonly capabilities: Capabilities
  /**
   * Which supervisor the options mean: its directory, or words. Directories are compared by where they lead. Two instances of
   * one place are one supervisor under two names: of a default and a declared one only the declared is looked at, and two
   * declared ones are an error. Absent: each name means another.
   */
  place?(instance: Instance): string
  /**
   * Where its things are, by directories or in words, if that is more than its place. Instances that are alike in this are the
   * same, however their options are written: what stands under one stands under the other, and nothing has to move.
   */
  layout?(instance: Instance): string | readonly string[]
  /** The names that its supervisor takes. Absent: those that facilities may have (`metadata.name`). */
  readonly serviceNames?: ServiceNames
  /**
   * Why no facility's service can be called so, though `serviceNames` has the name, for people: mostly that another name means the same one, as two facilities
   * must not. Absent: each name is a service of its own.
   */
  findNameProblem?(service: string): string | undefined
  /** Why nothing of that name can be in that state, for people: what is only a pattern for others doesn't run. Absent: all can. */
  findStateProblem?(service: string, state: Facility['state']): string | undefined
  /**
   * Where Reeve writes what this instance reads, and runs what it finds there: absolute. The host's owner bounds it (S3).
   * Absent: only what its options say in so many words.
   */
  directories?(instance: Instance): readonly string[]
  /** Of which service of this instance the process is a part, where that can be known though it isn't the main one. */
  serviceOf?(pid: number, instance: Instance, host: ReadHost): string | undefined
  /** By which other names the service is known on this host. Absent: by none. */
  aliasesOf?(service: string, instance: Instance, host: ReadHost): readonly string[]
  /** Is the supervisor there, and does it answer? */
  probe(instance: Instance, host: ReadHost): Promise<Availability>
  /**
   * The definition of a facility that has `process` or `config`. Problems name the field, e.g. `process.umask`.
   * `servicePaths`: those of `process` that root must not open or read for the service, as others can lead them elsewhere:
   * its own user does, where it has one (S8). Absent: there are none.
   */
  render(facility: Facility, instance: Instance, ownership: Ownership, servicePaths?: ReadonlySet<string>): Rendered
  /** Why this host can't have what was rendered, as it is now: paths that root would have to open where others can lead it elsewhere. */
  findHostProblems?(facility: Facility, definition: Definition, host: ReadHost): readonly string[]
  /**
   * What a start of the service needs of this host, where `spec.process` doesn't say it: native configuration is laid over it, or
   * stands in its place. The engine looks whether it is there before a service that runs is stopped for a change, and before a plan is
   * shown. Absent, or undefined: what `Definition.process` says, else `spec.process` where there is no native configuration.
   */
  startNeeds?(facility: Facility, definition: Definition, instance: Instance, host: ReadHost): StartNeeds | undefined
  /**
   * All services of this instance that carry a Reeve's marker, whichever Reeve's. Asked also before `probe`, of
   * supervisors that nobody names: what isn't on this host at all holds none.
   */
  list(instance: Instance, host: ReadHost): Promise<OwnedService[]>
  /** The state of each named service: many at once, as cheaply as the supervisor allows. Every name gets an answer. */
  observe(services: readonly string[], instance: Instance, host: ReadHost): Promise<Map<string, Observed>>
  /**
   * What services have to do with one another once what is declared for them is in place, by name: by the definitions, and by what
   * else is on the host. Absent: nothing, and each name is a service of its own.
   */
  relate?(
    services: readonly DeclaredService[],
    instance: Instance,
    host: ReadHost,
    options: RelateOptions,
  ): Promise<ReadonlyMap<string, ServiceTies>>
  /**
   * A service that isn't this Reeve's, as it is if all that the definition says is its own already: it is to be adopted, or added
   * to. Where what runs was started with just that, but for what Reeve adds, `loaded` has the digest of the definition, and nothing
   * has to be restarted (E20); else `stale` says why not. Absent: what `observe` says is all that can be known.
   */
  observeAdoptable?(service: string, definition: Definition, instance: Instance, host: ReadHost): Promise<Observed>
  /**
   * Carries out a batch of actions on different services, side by side, and reports each as it ends. Resolves when
   * all have been reported. An action that throws or isn't reported counts as failed.
   */
  apply(actions: readonly Action[], instance: Instance, host: WriteHost, report: Report): Promise<void>
  /**
   * Writes down what the processes of these services have read, of which `Observed.isUnrecorded` says so. Asked by those who act,
   * after they have looked. Absent: nothing has to be.
   */
  keepRuns?(services: readonly string[], instance: Instance, host: WriteHost): Promise<void>
  /**
   * The last lines that the service has written, or that its supervisor has of it, where these are in no file: at most so many.
   * Absent: `Observed.output` names the file, if there is one.
   */
  readLastLines?(service: string, instance: Instance, host: ReadHost, count: number): Promise<readonly string[]>
  /**
   * What the supervisor's own check finds in definitions that aren't in place yet, by service, for people: an `install` would be refused
   * for it. It may miss some. Absent: it has no such check.
   */
  verify?(
    services: readonly { readonly service: string; readonly definition: Definition }[],
    instance: Instance,
    host: ReadHost,
  ): Promise<ReadonlyMap<string, string>>
  /** Calls `hint` when something may have changed. Hints may be lost, doubled, or wrong; the engine observes anew. */
  watch?(instance: Instance, host: ReadHost, hint: (service?: string) => void): Disposable
  /** `controller`: nothing has the supervisor come up after a boot but a controller of Reeve. Absent: the host does. */
  readonly startedBy?: 'controller'
  /** What is different where the service is Reeve's own controller (`reeve install`). Absent: nothing. */
  readonly hosting?: Hosting
}

export type Hosting =
  /** Why it can't be the supervisor of the controller, for people. */
  | { readonly refusal: string }
  | {
      /** `spec.config.<type>` of the controller's facility. */
      readonly config?: unknown
      /** True: the supervisor keeps what its services write. Else the controller gets a file for it, where that can be had. */
      readonly keepsOutput?: boolean
      /** Options of the default instance, for the controller of whoever runs this. Absent: those that it has anyway. */
      options?(host: ReadHost): Readonly<Record<string, unknown>>
      /** What a person should know of a controller there, e.g. that it ends with their session. */
      advise?(instance: Instance, host: ReadHost): string | undefined
    }

export interface Capabilities {
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
  /** The command lines that `ReadHost.query` may run, by prefix: `[['systemctl', 'show']]`. They must not write. */
  readonly queries?: readonly (readonly string[])[]
  /** The D-Bus methods that `Bus.query` may call: `org.freedesktop.systemd1.Manager.ListUnits`. They must not write. */
  readonly busQueries?: readonly string[]
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

/** What the supervisor reads to run a service: files, all owned by the user Reeve runs as. */
export interface Definition {
  readonly files: readonly DefinitionFile[]
  /**
   * Hexadecimal SHA-256 of all that a running process depends on: the contents without Reeve's marker, which can change
   * without a restart being owed. The provider finds it again in the running process's `Loaded.definition`.
   */
  readonly digest: string
  /**
   * True: it only adds to a service that somebody else defines, a package mostly. That needs no adoption, and when it goes
   * the service stays. The marker says so too.
   */
  readonly isAddition?: boolean
  /**
   * Other services that it starts, stops, replaces or hands something to by naming them, as `Facility.service` would: the host's
   * owner decides whether it may (S3). What it is only ordered after or before isn't touched.
   */
  readonly touches?: readonly string[]
  /** What is run, where native configuration is laid over `spec.process`: the paths in it are checked before a plan is made. */
  readonly process?: Process
}

export interface DefinitionFile {
  readonly path: string
  readonly content: string
  readonly mode: number
}

/** A service as a facility declares it. */
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

/** What can be known of a process from /proc. */
export interface ProcessFacts {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
  /** Its session has a controlling terminal. */
  readonly hasTerminal: boolean
  /** The letter of /proc/PID/stat: `Z` is a zombie, `T` stopped. */
  readonly state: string
  /** Field 22 of /proc/PID/stat: clock ticks since boot. With pid and boot id it identifies the process for good. */
  readonly startTime: string
}

export interface FileFacts {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly device: number
  readonly inode: number
  /** Milliseconds since 1970. */
  readonly modified: number
  /** When anything of it last changed, its place or owner too: milliseconds since 1970. Nobody can set it back. */
  readonly changed: number
}

export interface FilePart {
  readonly facts: FileFacts
  readonly content: Uint8Array
}

export interface InspectedFile {
  readonly facts: FileFacts
  /** Absent: it isn't a regular file, or `mayRead` said no. */
  readonly content?: Uint8Array
}

/** Whose rights are used. */
export interface UserIdentity {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

export interface QueryOptions {
  /** In ms. */
  readonly timeout?: number
  /** Beside what tools need of Reeve's own. */
  readonly environment?: Readonly<Record<string, string>>
  /** What it is to look at: in its working directory, which is its own, closed to others, and gone with it. */
  readonly files?: readonly QueryFile[]
}

export interface QueryFile {
  /** Relative: `web.service`, `web.service.d/limits.conf`. */
  readonly name: string
  readonly content: string
}

export interface QueryResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * The host, for those who only look. It has no way to write. Reads are synchronous: what is read here is small and
 * local (/proc, /run, a definition), and a thousand of them cost milliseconds.
 */
export interface ReadHost {
  /** Milliseconds since 1970. */
  now(): number
  /**
   * Undefined if there is none. Throws ReeveError on anything else, also on what is no regular file; `limit` in bytes, default
   * 16 MiB. As root, it follows only symlinks that nobody else can have put there (S8).
   */
  readFile(path: string, limit?: number): Uint8Array | undefined
  /**
   * As `readFile`, for what root reads to hand it to a service, or believes: every directory on the way has to be one that only
   * root and this user can write. Throws ReeveError `insecure` that names the part, its owner and mode.
   */
  readProtectedFile(path: string, limit?: number): Uint8Array | undefined
  /**
   * The first part on the way to a directory, or symlink, that others than root and this user can change: undefined if there
   * is none, as far as the path exists. `isExclusive`: they must not be able to make entries in it either, as in /tmp.
   * It tells how the path is now; what acts on it checks again what it opens.
   */
  findUnsafePart(directory: string, options?: { readonly isExclusive?: boolean }): UnsafePart | undefined
  /** As `readFile`, so many bytes from an offset on, or what there is of them. */
  readPart(path: string, offset: number, length: number): FilePart | undefined
  /** As `readFile`, decoded as UTF-8. */
  readText(path: string, limit?: number): string | undefined
  /** Names, sorted; undefined if there is no such directory. */
  readDirectory(path: string): string[] | undefined
  /** Of the path itself, not of what a symlink leads to. */
  facts(path: string): FileFacts | undefined
  /**
   * Facts and content of one file, from one descriptor: nobody can put another in its place between the two. No symlink in its
   * place is followed, and on the way only those that nobody else can have put there (S8). Undefined if there is none. Throws
   * ReeveError where the way can't be followed, or the file is larger than `limit` (bytes, default 16 MiB). `tail`: of a larger
   * one, only so many bytes from its end.
   */
  inspectFile(
    path: string,
    options?: {
      readonly limit?: number
      readonly tail?: number
      readonly mayRead?: (facts: FileFacts) => boolean
    },
  ): InspectedFile | undefined
  /** Paths on which something is mounted now: a file among them can be neither replaced nor removed. */
  mountPoints(): ReadonlySet<string>
  /** Why nothing can be written to the directory now, whoever tries: its file system is full or read-only. Undefined: nothing is known. */
  findDiskProblem(directory: string): string | undefined
  readLink(path: string): string | undefined
  /** All symlinks resolved; undefined if it doesn't exist. */
  realPath(path: string): string | undefined
  /** True if somebody has the named pipe open for reading; false too if there is none. Supervisors show so that they live. */
  isRead(pipe: string): boolean
  process(pid: number): ProcessFacts | undefined
  /** Of all processes that can be seen. */
  processes(): number[]
  /** Changes with every boot, also with that of a container: the kernel's boot id and the start time of pid 1. */
  bootId(): string
  /** The effective user id of this process. */
  userId(): number
  /** The effective group id of this process. */
  groupId(): number
  /** Undefined if there is no such user. */
  findUser(
    name: string,
  ): { readonly uid: number; readonly gid: number; readonly home: string; readonly shell: string } | undefined
  findGroup(name: string): number | undefined
  /** Undefined if no user has that id. */
  findUserById(uid: number): UserIdentity | undefined
  /** Ids of all groups that the user belongs to. */
  findGroupsOf(user: UserIdentity): ReadonlySet<number>
  /**
   * Whether that user, with these groups, may use the path so, as a process of theirs sees it. It costs two processes: only for what
   * the mode doesn't tell, an access list. True too where that can't be found out.
   */
  isGranted(
    user: UserIdentity,
    groups: ReadonlySet<number>,
    path: string,
    rights: readonly ('r' | 'w' | 'x')[],
  ): boolean
  /** Runs one of the provider's declared `queries`. Throws ReeveError for any other, and `unavailable` if there is no such program. */
  query(command: readonly string[], options?: QueryOptions): Promise<QueryResult>
  /** A D-Bus connection of its own; to be disposed of. Throws ReeveError `unavailable`. */
  openBus(address: BusAddress): Promise<Bus>
  /**
   * What a process tells of itself, line by line, to whoever connects to its unix socket: nothing is sent to it. Ends when it
   * hangs up. Throws ReeveError: `unavailable` if nobody listens there, `aborted` by the signal.
   */
  hear(socket: string, signal: AbortSignal): AsyncIterable<string>
  /** Calls `hint` with the name (inside `directory`) that may have changed. Stays armed if the directory comes later. */
  watch(directory: string, hint: (name?: string) => void): Disposable
}

/** The host, for those who act. Every external effect of Reeve goes through here. */
export interface WriteHost extends ReadHost {
  /**
   * Replaces the file in one step: temporary dotfile in the same directory, owner and mode, sync, rename, sync.
   * Follows no symlink at `path`. `isFleeting`: it means nothing any more once the machine is down, and is not synced.
   */
  writeFile(
    path: string,
    content: Uint8Array | string,
    options: { readonly mode: number; readonly uid?: number; readonly gid?: number; readonly isFleeting?: boolean },
  ): void
  /**
   * As `writeFile`, many in a row: each in one step, in the order given. They are synced side by side, which takes a disk much
   * less. Nobody else may write to their directories meanwhile.
   */
  writeFiles(
    files: readonly {
      readonly path: string
      readonly content: Uint8Array | string
      readonly mode: number
      readonly uid?: number
      readonly gid?: number
    }[],
  ): Promise<void>
  /**
   * As `writeFile`, with the rights of a user other than root, in a process that has no others: for directories which that
   * user can write, and root therefore doesn't work in. The file is theirs; `gid` is one of their groups. Resolves when it is
   * done; throws ReeveError after 30 s at the latest.
   */
  writeFileAs(
    user: UserIdentity,
    path: string,
    content: Uint8Array | string,
    options: { readonly mode: number; readonly gid?: number },
  ): Promise<void>
  /** As `removeFile`, with the rights of that user. */
  removeFileAs(user: UserIdentity, path: string): Promise<void>
  /** Appends in one write, without a sync; makes the file with `mode` if there is none. Follows no symlink at `path`. */
  appendFile(path: string, content: Uint8Array | string, options: { readonly mode: number }): void
  /** Renames within one file system, over what is there. */
  moveFile(from: string, to: string): void
  /** With its parents (0755). Does nothing if it exists. */
  makeDirectory(path: string, options: { readonly mode: number }): void
  /** Makes a symlink. Does nothing if it is there and leads there; throws ReeveError if something else is. */
  makeLink(path: string, target: string): void
  /** Writes to a named pipe, in one write; false if nobody has it open for reading. Never waits. */
  writePipe(path: string, text: string): boolean
  /** Does nothing if there is none. */
  removeFile(path: string): void
  /** Does nothing if there is none, or if it isn't empty. */
  removeDirectory(path: string): void
  /** Runs to its end. A non-zero exit is a result, not an error. `timeout` in ms. */
  run(command: readonly string[], options?: RunOptions): Promise<QueryResult>
  /** Starts a process in a session of its own, that outlives this one; gives its pid. */
  spawn(command: readonly string[], options: SpawnOptions): SpawnedProcess
  /** Signals a process, or with a negative number its group; false if there is none. The caller has checked its identity. */
  kill(pid: number, signal: string): boolean
  /** Sends one line to a unix socket, when first iterated, and gives each line that comes back. Ends when the peer closes. */
  request(socket: string, line: string, signal: AbortSignal): AsyncIterable<string>
  openBus(address: BusAddress): Promise<WriteBus>
}

export interface BusAddress {
  /** Path of a unix socket. */
  readonly socket: string
  /** True: a service itself listens there, and no bus daemon. */
  readonly isPeer: boolean
}

export interface BusCall {
  readonly destination: string
  readonly path: string
  readonly interface: string
  readonly member: string
  /** D-Bus types of `body`; absent: there is none. */
  readonly signature?: string
  readonly body?: readonly unknown[]
}

export interface BusSignal {
  readonly path: string
  readonly interface: string
  readonly member: string
  readonly body: readonly unknown[]
}

/** A D-Bus connection, for those who only look. Values come as JavaScript has them, variants as what is in them. */
export interface Bus extends Disposable {
  /**
   * Makes one of the provider's declared `busQueries`, and gives what it returns. Throws ReeveError: `internal` for any
   * other, `unavailable` if no answer comes, `failed` if it is an error. On a connection that is over, not before `ended`.
   */
  query(call: BusCall): Promise<readonly unknown[]>
  /** Calls `listener` for signals that match the rule (and maybe for others); from a peer, for all. */
  listen(rule: string, listener: (signal: BusSignal) => void): Promise<void>
  /** From now on it doesn't keep the process alive. */
  unref(): void
  /** Resolves when the connection is over, from whichever side. */
  readonly ended: Promise<void>
}

/** A D-Bus connection, for those who act. */
export interface WriteBus extends Bus {
  /** Makes any call, and waits for its answer. */
  call(call: BusCall): Promise<readonly unknown[]>
}

export interface RunOptions {
  readonly timeout?: number
  /** Beside PATH, HOME and the like, which tools need; nothing else of Reeve's own environment reaches them. */
  readonly environment?: Readonly<Record<string, string>>
  readonly directory?: string
  readonly signal?: AbortSignal
  readonly input?: string
  /**
   * In a session of its own, with `environment` alone, its output thrown away. When it has ended, or was ended by `timeout` or
   * `signal`, whatever it leaves behind is killed. Absent: what it starts may go on.
   */
  readonly isContained?: boolean
  /**
   * In a session of its own, and so without the terminal of whoever runs Reeve. For what comes to run as a service's user, who
   * could type into root's shell through it.
   */
  readonly hasOwnSession?: boolean
}

export interface SpawnOptions {
  /** The whole environment: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>
  readonly directory?: string
  /** A file that stdout and stderr are appended to; made with `outputMode`. Absent: /dev/null. */
  readonly output?: string
  readonly outputMode?: number
}

export interface SpawnedProcess {
  readonly pid: number
  /**
   * Resolves when it has ended and been reaped, with its exit code; undefined: a signal ended it. Waiting for it doesn't keep
   * this process alive.
   */
  readonly exited: Promise<number | undefined>
}
