import type { Provider } from '../core/contracts/provider.ts'

/**
 * What a provider's test says of its supervisor: how to have one of its own, and how to do behind its back what people
 * and machines do. Everything else the suite does through Reeve, as a user would.
 */
export interface ConformanceHarness {
  readonly provider: Provider
  /** How long (ms) what a supervisor has to do at once may take. Absent: 20,000. */
  readonly patience?: number
  /** A real supervisor of its own for one test case, in `directory`, which is empty and goes afterwards. */
  setUp(directory: string): Promise<ConformanceSupervisor>
}

export interface ConformanceSupervisor {
  /** `spec.<type>` of its Supervisor manifest. */
  readonly options: Readonly<Record<string, unknown>>
  /** What a reboot of the host would do to it and to its services; resolves when the supervisor is up again. */
  boot(): Promise<void>
  /** Makes it not answer, and makes it answer again. */
  makeUnavailable(): Promise<void>
  makeAvailable(): Promise<void>
  /** Kills what watches over the service, which goes on. Absent: nothing does that could be killed alone. */
  abandon?(service: string): Promise<void>
  /** A definition as somebody's editor would leave it: another text that still is one, with Reeve's marker. */
  meddle(definition: string): string
  /** Directories where any write while only looking would show. */
  readonly watched: readonly string[]
  /** Nothing of it is left running. */
  tearDown(): Promise<void>
}

export interface ConformanceCase {
  readonly name: string
  /** Milliseconds that it may take on a slow machine. */
  readonly timeout: number
  /** Rejects with an AssertionError where the provider doesn't keep the contract. */
  run(): Promise<void>
}
