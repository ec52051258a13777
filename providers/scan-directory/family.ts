import type { ReadHost, WriteHost } from '../../src/core/contracts/host.ts'
import type { PortableField, Process } from '../../src/core/model/facility.ts'
import type { Rotation } from '../../src/core/model/portable-fields.ts'

/**
 * What is different between the supervisors that scan a directory of services. All else is the same, and in this folder:
 * a scanner starts a small supervisor for each service that is linked into its directory; that one tells of the service in
 * `supervise/status`, and obeys single letters written to `supervise/control`.
 */
export interface Family {
  readonly type: string
  /** The name of the program that scans. */
  readonly scanner: string
  /** The scanner works in the directory that it scans; else in the one that it was started in. */
  readonly scansFromInside: boolean
  /** The name of the program that it starts for each service. */
  readonly supervisor: string
  /** It runs the log of the service as well; else that has a supervisor of its own. */
  readonly supervisesLog: boolean
  /** How often the scanner looks for new services by itself, in ms; absent: it has to be told. */
  readonly scanInterval?: number
  /** How many services the scanner takes at most; undefined where that can't be known. */
  mostServices(scanner: Scanner, host: ReadHost): number | undefined
  /** The option by which the scanner is told how many; absent: it has none. */
  readonly limitOption?: string
  /** The directories of the distribution's own instance. */
  readonly serviceDirectory: string
  readonly definitionDirectory: string
  /** The pipe in `supervise/` that is read as long as the supervisor of the service lives. */
  readonly livenessPipe: string
  /** Programs that a run script may execute which then execute the service. */
  readonly launchers: readonly string[]
  /** Programs that every service needs, and the package that brings them. */
  readonly tools: readonly string[]
  readonly debianPackage: string
  readonly process: readonly PortableField[]
  /** JSON Schema of `spec.config.<type>`. */
  readonly configSchema: object
  /** Undefined if these bytes are no status: e.g. cut off. */
  parseStatus(content: Uint8Array): SupervisionStatus | undefined
  /** Has the scanner look at its directory now; absent: it does so by itself. */
  readonly announce?: (serviceDirectory: string, host: WriteHost) => Promise<void>
  /**
   * What has to be new for a log that comes or goes to be taken note of: the link in the scanner's directory, or also the
   * directory that it leads to.
   */
  readonly logsComeWith: 'link' | 'directory'
  readonly scripts: FamilyScripts
}

/** A process that scans. */
export interface Scanner {
  readonly pid: number
  /** Its command line. */
  readonly words: readonly string[]
  /** Stopped by a signal: it does nothing till it is continued. */
  readonly isPaused: boolean
  readonly userId: number
}

/** What the scripts of this folder can honour; a family whose supervisor can't do one of them leaves it out. */
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

/** The parts of a definition that are rendered differently. */
export interface FamilyScripts {
  /** The words of the command line that give the service a process group of its own, and its user. */
  readonly session: readonly string[]
  /**
   * Shell text that leaves in `__reeve_user` the words which change the user, free of blanks, where `user` or `group` is
   * declared. It finds the numbers in `__reeve_uid` and `__reeve_gid`.
   */
  selectUser(process: Process): string
  /**
   * Shell text that runs at the end of a service that is not to be started again. It finds the functions of
   * supervise-script.ts.
   */
  readonly stayDown: string
  /** The supervisor runs a script after each end; else the run script stays, as the parent of the service, and sees to it. */
  readonly hasFinish: boolean
  /** The supervisor runs a script in place of sending a signal, where there is one. */
  readonly hasControl: boolean
  /** Who stops a service sends its stop signal to its whole process group; else the finish script sees to the others. */
  readonly signalsGroup: boolean
  /** Shell text: true if the end of the service was asked for. */
  readonly isWantedDown: string
  /** The lines that become the logger, in its directory of logs. */
  runLogger(rotation: Rotation): string
  /** What of the output can't be had; undefined if all can. */
  findRotationProblem(rotation: Rotation): string | undefined
  /** The names of the files in a definition by which its supervisor is set. */
  readonly settings: readonly string[]
  /** Further files of a definition, by their paths in it: settings, and what is in `control/`. */
  moreFiles(
    process: Process,
    facility: string,
  ): Readonly<Record<string, { readonly content: string; readonly mode: number }>>
}

/** What a status file says. */
export interface SupervisionStatus {
  readonly state: 'down' | 'up' | 'finish'
  /** Of the service, or while it finishes, of its finish script. */
  readonly pid?: number
  readonly want?: 'up' | 'down'
  readonly isPaused: boolean
  /** Absent: the supervisor knows nothing of readiness. */
  readonly isReady?: boolean
  /** Milliseconds since 1970. */
  readonly since: number
  /** By the process table, which is ahead of what the supervisor writes down, or knows what it can't write. */
  readonly isCorrected?: true
}
