import type { ReadHost, WriteHost } from '../../src/core/contracts/host.ts'
import type { PortableField, Process } from '../../src/core/model/facility.ts'
import type { Rotation } from '../../src/core/model/portable-fields.ts'

/**
 * Differences between the supervisors that scan a directory of services. Everything else is common, and in this folder: a
 * scanner starts a small supervisor for each service that is linked into its directory; that one reports the service in
 * `supervise/status`, and obeys single letters written to `supervise/control`.
 */
export interface Family {
  readonly type: string
  /** Name of the program that scans. */
  readonly scanner: string
  /** Whether the scanner works in the directory that it scans; else in the one that it was started in. */
  readonly scansFromInside: boolean
  /** Name of the program that it starts for each service. */
  readonly supervisor: string
  /** Whether it runs the log of the service as well; else the log has a supervisor of its own. */
  readonly supervisesLog: boolean
  /** Interval in ms at which the scanner rescans by itself; absent: it has to be notified. */
  readonly scanInterval?: number
  /** Largest number of services of the scanner; undefined if it is unknown. */
  mostServices(scanner: Scanner, host: ReadHost): number | undefined
  /** Option that sets this number; absent: there is none. */
  readonly limitOption?: string
  /** Directories of the distribution's own instance. */
  readonly serviceDirectory: string
  readonly definitionDirectory: string
  /** Pipe in `supervise/` that is read as long as the supervisor of the service is alive. */
  readonly livenessPipe: string
  /** Programs that a run script may execute which then execute the service. */
  readonly launchers: readonly string[]
  /** Programs that every service needs, and the package that contains them. */
  readonly tools: readonly string[]
  readonly debianPackage: string
  readonly process: readonly PortableField[]
  /** JSON Schema of `spec.config.<type>`. */
  readonly configSchema: object
  /** Parses a status; undefined if these bytes are none, e.g. truncated. */
  parseStatus(content: Uint8Array): SupervisionStatus | undefined
  /** Has the scanner rescan its directory now; absent: it does so by itself. */
  readonly announce?: (serviceDirectory: string, host: WriteHost) => Promise<void>
  /**
   * What has to be recreated for the scanner to notice that a log was added or removed: the link in the scan directory, or
   * also the directory that it leads to.
   */
  readonly logsComeWith: 'link' | 'directory'
  readonly scripts: FamilyScripts
}

/** What rendering a definition takes: supervisors that don't scan run the same scripts. */
export type ScriptedFamily = Pick<
  Family,
  'type' | 'supervisor' | 'scripts' | 'serviceDirectory' | 'definitionDirectory'
>

/** A process that scans. */
export interface Scanner {
  readonly pid: number
  /** Its command line. */
  readonly words: readonly string[]
  /** Suspended by a signal: it does nothing until it is continued. */
  readonly isPaused: boolean
  readonly userId: number
}

/** Fields that the scripts of this folder can honour; a family whose supervisor can't support one leaves it out. */
export const scriptFields: readonly PortableField[] = [
  'command',
  'workingDirectory',
  'user',
  'group',
  'umask',
  'environment',
  'environment.fromFile',
  'environmentFiles',
  'limits',
  'restart.policy',
  'restart.delay',
  'stop.signal',
  'stop.timeout',
  'reload.signal',
  'reload.command',
  'output.file',
  'output.maxSize',
  'output.keep',
]

/** Parts of a definition that are rendered differently. */
export interface FamilyScripts {
  /** Words of the command line that give the service a process group of its own, and its user. */
  readonly session: readonly string[]
  /**
   * Shell text that sets `__reeve_user` to the words that change the user, without blanks, if `user` or `group` is declared.
   * It finds the numbers in `__reeve_uid` and `__reeve_gid`.
   */
  selectUser(process: Process): string
  /**
   * Shell text that runs at the end of a service that is not started again. It may use the functions of supervise-script.ts.
   */
  readonly stayDown: string
  /**
   * Whether the supervisor runs a script after each end; else the run script stays, as the parent of the service, and
   * handles it.
   */
  readonly hasFinish: boolean
  /** Whether the supervisor runs a control script, if there is one, in place of sending a signal. */
  readonly hasControl: boolean
  /** Whether a stop signals the whole process group of the service; else the finish script handles the other members. */
  readonly signalsGroup: boolean
  /** Shell text: true if the end of the service was requested. */
  readonly isWantedDown: string
  /** Lines that become the logger, in its directory of logs. */
  runLogger(rotation: Rotation): string
  /** Reason why output settings can't be honoured; undefined if they can. */
  findRotationProblem(rotation: Rotation): string | undefined
  /** Names of the files in a definition that configure its supervisor. */
  readonly settings: readonly string[]
  /** Further files of a definition, by their paths in it: settings, and control scripts in `control/`. */
  moreFiles(
    process: Process,
    facility: string,
  ): Readonly<Record<string, { readonly content: string; readonly mode: number }>>
}

/** Content of a status file. */
export interface SupervisionStatus {
  readonly state: 'down' | 'up' | 'finish'
  /** Pid of the service, or while it finishes, of its finish script. */
  readonly pid?: number
  readonly want?: 'up' | 'down'
  readonly isPaused: boolean
  /** Absent: the supervisor has no notion of readiness. */
  readonly isReady?: boolean
  /** Milliseconds since 1970. */
  readonly since: number
  /** From the process table, which is ahead of the supervisor's status, or has what it can't write. */
  readonly isCorrected?: true
}
