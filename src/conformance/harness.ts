import type { Provider } from '../core/contracts/provider.ts'

/**
 * Supervisor-specific part of a provider's test: how to start a supervisor, and how to change its services behind Reeve's
 * back. The suite does everything else through Reeve, as a user would.
 */
export interface ConformanceHarness {
  readonly provider: Provider
  /** Path of its module, for tests that run Reeve in another process. Absent: it comes with Reeve. */
  readonly module?: string
  /** Time in ms that an immediate action of the supervisor may take. Default: 60,000. */
  readonly patience?: number
  /**
   * How many services the suite declares at once, at least 20. Default: 300. Fewer for a supervisor that acts on one after the other, and
   * would need minutes for so many.
   */
  readonly many?: number
  /** Starts a supervisor for one test case in `directory`, which is empty and removed afterwards. */
  setUp(directory: string): Promise<ConformanceSupervisor>
}

export interface ConformanceSupervisor {
  /** `spec.<type>` of its Supervisor manifest. */
  readonly options: Readonly<Record<string, unknown>>
  /**
   * Does what a reboot of the host would do to the supervisor and its services; resolves when the supervisor is up again.
   */
  boot(): Promise<void>
  /** Makes the supervisor unresponsive, and responsive again. */
  makeUnavailable(): Promise<void>
  makeAvailable(): Promise<void>
  /** Kills the process that supervises the service, which keeps running. Absent: no such process can be killed alone. */
  abandon?(service: string): Promise<void>
  /** Edits a definition as a person would: a different text that is still valid, with Reeve's marker. */
  meddle(definition: string): string
  /** Directories in which observing must write nothing. */
  readonly watched: readonly string[]
  /** Stops everything that belongs to the supervisor. */
  tearDown(): Promise<void>
}

export interface ConformanceCase {
  readonly name: string
  /** Time in ms that it may take on a slow machine. */
  readonly timeout: number
  /** Rejects with an AssertionError if the provider breaks the contract. */
  run(): Promise<void>
}
