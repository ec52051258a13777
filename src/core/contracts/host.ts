import type { UserIdentity } from '../model/user-identity.ts'
import type { UnsafePart } from '../paths/path-safety.ts'
import type { Bus, BusTarget, WriteBus } from './bus.ts'
import type { ContainedRunOptions, ContainedRunResult, RunOptions, SpawnedProcess, SpawnOptions } from './runs.ts'

/** Facts about a process, from /proc. */
export interface ProcessFacts {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
  /** Whether its session has a controlling terminal. */
  readonly hasTerminal: boolean
  /** State letter of /proc/PID/stat: `Z` is a zombie, `T` is stopped. */
  readonly state: string
  /** Start time, field 22 of /proc/PID/stat: clock ticks since boot. With pid and boot id it identifies the process. */
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
  /** Time of the last change of content, in ms since 1970. */
  readonly modified: number
  /** Time of the last change of anything, including place and owner, in ms since 1970. Nobody can set it back. */
  readonly changed: number
}

export interface FilePart {
  readonly facts: FileFacts
  readonly content: Uint8Array
}

export interface InspectedFile {
  readonly facts: FileFacts
  /** Absent: it isn't a regular file, or `mayRead` returned false. */
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
  /** Time limit in ms. Absent: 10,000. */
  readonly timeout?: number
  /** Variables besides PATH, HOME and others that tools need. */
  readonly environment?: Readonly<Record<string, string>>
  /** Files for the query, in its working directory: a private one, which is removed afterwards. */
  readonly files?: readonly QueryFile[]
}

export interface QueryFile {
  /** Relative path: `web.service`, `web.service.d/limits.conf`. */
  readonly name: string
  readonly content: string
}

export interface QueryResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** HTTP request to a unix socket. */
export interface SocketRequest {
  /** Default: GET. */
  readonly method?: string
  /** Path with its query string: `/status?format=xml`. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Time limit of the whole answer in ms. Default: 10,000. */
  readonly timeout?: number
  /** Time in ms for which the request waits while nobody listens, as during a reload of the supervisor. Default: 0. */
  readonly patience?: number
  /** Size limit of the answer's body in bytes. Default: 8 MiB. */
  readonly limit?: number
  readonly signal?: AbortSignal
}

export interface SocketResponse {
  readonly status: number
  /** Body, decoded as UTF-8. */
  readonly body: string
}

/**
 * Host for observers: it can't write. Reads are synchronous, as files read here are small and local (/proc, /run, a definition): a
 * thousand of them take milliseconds.
 */
export interface ReadHost {
  /** Wall clock time in ms since 1970. */
  now(): number
  /**
   * Content of a file; undefined if there is none. Throws ReeveError on any other failure, and if it isn't a regular file. `limit` in
   * bytes, default 16 MiB. As root, it follows only symlinks that nobody else can have put there (S8).
   */
  readFile(path: string, limit?: number): Uint8Array | undefined
  /**
   * As `readFile`, for files that root trusts or passes to a service: only root and this user may be able to write to any directory on
   * the way. Throws ReeveError `insecure` that names the part, its owner and mode.
   */
  readProtectedFile(path: string, limit?: number): Uint8Array | undefined
  /**
   * First part on the way to a directory, or symlink, that others than root and this user can change; undefined if there is none, as far
   * as the path exists. `isExclusive`: others must not be able to create entries in it either, as in /tmp. The answer holds for the
   * moment: code that acts on the path checks again what it opens.
   */
  findUnsafePart(directory: string, options?: { readonly isExclusive?: boolean }): UnsafePart | undefined
  /** Part of a file, as by `readFile`: at most `length` bytes from an offset. */
  readPart(path: string, offset: number, length: number): FilePart | undefined
  /** As `readFile`, decoded as UTF-8. */
  readText(path: string, limit?: number): string | undefined
  /** Sorted names of its entries; undefined if there is no such directory. */
  readDirectory(path: string): string[] | undefined
  /** Facts about the path itself: symlinks are not followed. Undefined if there is none. */
  facts(path: string): FileFacts | undefined
  /**
   * Facts and content of one file from one descriptor, so that nobody can replace it in between. A symlink in its place is not followed,
   * and on the way only those that nobody else can have put there (S8). Undefined if there is none. Throws ReeveError if the way
   * can't be followed, or the file is larger than `limit` (bytes, default 16 MiB). `tail`: of a larger file, only so many bytes
   * from its end.
   */
  inspectFile(
    path: string,
    options?: {
      readonly limit?: number
      readonly tail?: number
      readonly mayRead?: (facts: FileFacts) => boolean
    },
  ): InspectedFile | undefined
  /** Mount points. A file that is one can be neither replaced nor removed. */
  mountPoints(): ReadonlySet<string>
  /** Target of a symlink, as it is written; undefined if there is none. */
  readLink(path: string): string | undefined
  /** Path with all symlinks resolved; undefined if it doesn't exist. */
  realPath(path: string): string | undefined
  process(pid: number): ProcessFacts | undefined
  /** Ids of all visible processes. */
  processes(): number[]
  /** Id of this boot, of a container's too: the kernel's boot id and the start time of pid 1. */
  bootId(): string
  /** Effective user id of this process. */
  userId(): number
  /** Effective group id of this process. */
  groupId(): number
  /** User by name; undefined if there is none. */
  findUser(name: string): User | undefined
  findGroup(name: string): number | undefined
  /** User by id; undefined if there is none. */
  findUserById(uid: number): UserIdentity | undefined
  /** Ids of all groups of a user. */
  findGroupsOf(user: UserIdentity): ReadonlySet<number>
  /**
   * Whether a user with these groups has the rights on the path, as a process of theirs sees it. It takes two processes, so it is only
   * for access lists, which the mode doesn't show. True if it can't be determined.
   */
  isGranted(
    user: UserIdentity,
    groups: ReadonlySet<number>,
    path: string,
    rights: readonly ('r' | 'w' | 'x')[],
  ): boolean
  /**
   * Runs one of the provider's declared `queries`. Rejects with ReeveError: `internal` for any other, `unavailable` if there is no such
   * program.
   */
  query(command: readonly string[], options?: QueryOptions): Promise<QueryResult>
  /**
   * Makes one of the provider's declared `socketQueries` over HTTP. Any status is a result; redirects aren't followed. Rejects with
   * ReeveError: `internal` for a request that isn't declared, `unavailable` if nobody listens or the answer isn't complete in time,
   * `failed` if the answer is too large or cut off, `aborted` by the signal.
   */
  querySocket(socket: string, request: SocketRequest): Promise<SocketResponse>
  /** Handle on D-Bus, which connects on first use and has to be disposed of. */
  openBus(target: BusTarget): Bus
  /** Watch on a directory: calls `hint` with the name of an entry that may have changed. The directory may come later. */
  watch(directory: string, hint: (name?: string) => void): Disposable
}

/** Host for health probes: it can also run the commands of health checks, which leave nothing behind. */
export interface ProbeHost extends ReadHost {
  /**
   * Runs a command to its end in a session of its own, with `environment` alone. After its end, or at `timeout`, `outputLimit` or
   * `signal`, all processes that it has left are killed. A non-zero exit is a result, not an error.
   */
  runContained(command: readonly string[], options: ContainedRunOptions): Promise<ContainedRunResult>
}

/** Host for appliers. Every external effect of Reeve is a method of it. */
export interface WriteHost extends ProbeHost {
  /**
   * Replaces a file in one step: temporary dotfile in the same directory, owner and mode, sync, rename, sync. Follows no symlink at
   * `path`.
   */
  writeFile(path: string, content: Uint8Array | string, options: FileOptions): void
  /**
   * As `writeFile`, for many files: each in one step, in the given order. They are synced side by side, which is much faster. Nobody else
   * may write to their directories meanwhile.
   */
  writeFiles(files: readonly FileToWrite[]): Promise<void>
  /**
   * For new files of one directory: links those that `from`, a directory of this user, has under the same name with the same content and mode.
   * Returns the others, which are still to be written. Files that are linked must never be changed in place.
   */
  reuseFiles(from: string, files: readonly FileToWrite[]): readonly FileToWrite[]
  /**
   * As `writeFile`, by a process with only the rights of a user other than root: for directories that this user can write, in which root
   * doesn't work therefore. The user owns the file; `gid` is one of their groups. Rejects with ReeveError after 30 s at the latest.
   */
  writeFileAs(
    user: UserIdentity,
    path: string,
    content: Uint8Array | string,
    options: { readonly mode: number; readonly gid?: number },
  ): Promise<void>
  /** As `removeFile`, with the rights of that user. */
  removeFileAs(user: UserIdentity, path: string): Promise<void>
  /** Appends in one write, without a sync; creates the file with `mode` if there is none. Follows no symlink at `path`. */
  appendFile(path: string, content: Uint8Array | string, options: { readonly mode: number }): void
  /** Renames within one file system; an existing file is replaced. */
  moveFile(from: string, to: string): void
  /** Creates a directory and its parents (0755). Does nothing if it exists. */
  makeDirectory(path: string, options: { readonly mode: number }): void
  /** Creates a symlink. Does nothing if it exists with this target; throws ReeveError if something else is in its place. */
  makeLink(path: string, target: string): void
  /** Writes to a named pipe in one write, without waiting; false if nobody has it open for reading. */
  writePipe(path: string, text: string): boolean
  /** Removes a file. Does nothing if there is none. */
  removeFile(path: string): void
  /** Removes an empty directory. Does nothing if there is none, or if it isn't empty. */
  removeDirectory(path: string): void
  /** Runs a command to its end; processes that it starts may go on. A non-zero exit is a result, not an error. */
  run(command: readonly string[], options?: RunOptions): Promise<QueryResult>
  /** Starts a process that outlives this one, in a session of its own. */
  spawn(command: readonly string[], options: SpawnOptions): SpawnedProcess
  /** Signals a process, or with a negative number a group; false if there is none. The caller has checked its identity. */
  kill(pid: number, signal: string): boolean
  /** Sends one line to a unix socket when first iterated, and yields each line of the answer. Ends when the peer closes. */
  request(socket: string, line: string, signal: AbortSignal): AsyncIterable<string>
  /** As `querySocket`, for any request. */
  requestSocket(socket: string, request: SocketRequest): Promise<SocketResponse>
  openBus(target: BusTarget): WriteBus
}
