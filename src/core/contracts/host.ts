import type { UserIdentity } from '../model/user-identity.ts'
import type { UnsafePart } from '../paths/path-safety.ts'
import type { Bus, BusTarget, WriteBus } from './bus.ts'
import type { ContainedRunOptions, ContainedRunResult, RunOptions, SpawnedProcess, SpawnOptions } from './runs.ts'

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

export interface User {
  readonly uid: number
  readonly gid: number
  readonly home: string
  readonly shell: string
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

export interface FileOptions {
  readonly mode: number
  readonly uid?: number
  readonly gid?: number
  /** It means nothing any more once the machine is down, and is not synced. */
  readonly isFleeting?: boolean
}

export interface FileToWrite extends FileOptions {
  readonly path: string
  readonly content: Uint8Array | string
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

/** One HTTP request to a unix socket. */
export interface SocketRequest {
  /** Absent: GET. */
  readonly method?: string
  /** With its query string: `/status?format=xml`. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Of the whole answer, in ms. Absent: 10,000. */
  readonly timeout?: number
  /** Of the answer's body, in bytes. Absent: 8 MiB. */
  readonly limit?: number
  readonly signal?: AbortSignal
}

export interface SocketResponse {
  readonly status: number
  /** As UTF-8. */
  readonly body: string
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
  readLink(path: string): string | undefined
  /** All symlinks resolved; undefined if it doesn't exist. */
  realPath(path: string): string | undefined
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
  findUser(name: string): User | undefined
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
  /**
   * Makes one of the provider's declared `socketQueries`, over HTTP to a unix socket. Any status is a result, redirects too: none is
   * followed. Throws ReeveError: `internal` for a request that isn't declared, `unavailable` if nobody listens or no whole answer comes
   * in time, `failed` if it is too large or cut off, `aborted` by the signal.
   */
  querySocket(socket: string, request: SocketRequest): Promise<SocketResponse>
  /** A handle on D-Bus, which connects when it is first asked; to be disposed of. */
  openBus(target: BusTarget): Bus
  /** Calls `hint` with the name (inside `directory`) that may have changed. Stays armed if the directory comes later. */
  watch(directory: string, hint: (name?: string) => void): Disposable
}

/** The host, for those who ask services how they are: they look, and run the commands of health checks, which leave nothing behind. */
export interface ProbeHost extends ReadHost {
  /**
   * Runs to its end, in a session of its own, with `environment` alone. When it has ended, or was ended by `timeout`, `outputLimit` or
   * `signal`, whatever it leaves behind is killed. A non-zero exit is a result, not an error.
   */
  runContained(command: readonly string[], options: ContainedRunOptions): Promise<ContainedRunResult>
}

/** The host, for those who act. Every external effect of Reeve goes through here. */
export interface WriteHost extends ProbeHost {
  /**
   * Replaces the file in one step: temporary dotfile in the same directory, owner and mode, sync, rename, sync.
   * Follows no symlink at `path`.
   */
  writeFile(path: string, content: Uint8Array | string, options: FileOptions): void
  /**
   * As `writeFile`, many in a row: each in one step, in the order given. They are synced side by side, which takes a disk much
   * less. Nobody else may write to their directories meanwhile.
   */
  writeFiles(files: readonly FileToWrite[]): Promise<void>
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
  /** Runs to its end; what it starts may go on. A non-zero exit is a result, not an error. `timeout` in ms. */
  run(command: readonly string[], options?: RunOptions): Promise<QueryResult>
  /** Starts a process in a session of its own, that outlives this one; gives its pid. */
  spawn(command: readonly string[], options: SpawnOptions): SpawnedProcess
  /** Signals a process, or with a negative number its group; false if there is none. The caller has checked its identity. */
  kill(pid: number, signal: string): boolean
  /** Sends one line to a unix socket, when first iterated, and gives each line that comes back. Ends when the peer closes. */
  request(socket: string, line: string, signal: AbortSignal): AsyncIterable<string>
  /** As `querySocket`, any request. */
  requestSocket(socket: string, request: SocketRequest): Promise<SocketResponse>
  openBus(target: BusTarget): WriteBus
}
