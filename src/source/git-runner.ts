import type { ContainedRunResult } from '../core/contracts/runs.ts'
import type { GitUrl } from '../core/model/git-url.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import type { ScratchHost } from '../host/scratch.ts'
import type { GitCommand } from './git-command.ts'
import { classifyFailure } from './git-failure.ts'
import type { RepositoryLimits } from './repository-limits.ts'
import { SourceError } from './source-error.ts'

export interface GitRunnerOptions {
  readonly host: Pick<ScratchHost, 'runContained'>
  /** Its working directory. */
  readonly home: string
  /** For messages. */
  readonly url: GitUrl
  readonly limits: RepositoryLimits
}

export interface GitInput {
  /** In ms. Absent: `limits.command`. */
  readonly timeout?: number
  readonly input?: string | Uint8Array
}

/** Runs git to its end. All functions throw SourceError. */
export interface GitRunner {
  /** Gives what it said, whatever its exit code. */
  run(git: GitCommand, signal: AbortSignal, options?: GitInput): Promise<ContainedRunResult>
  /** Gives its output, and throws what it said if it failed. */
  expectDone(git: GitCommand, signal: AbortSignal, options?: GitInput): Promise<Uint8Array>
  failure(exitCode: number, stderr: string): SourceError
}

export function createGitRunner({ host, home, url, limits }: GitRunnerOptions): GitRunner {
  async function run(
    { command, environment }: GitCommand,
    signal: AbortSignal,
    { timeout = limits.command, input }: GitInput = {},
  ): Promise<ContainedRunResult> {
    try {
      return await host.runContained(command, {
        environment,
        directory: home,
        signal,
        timeout,
        outputLimit: limits.output,
        ...(input === undefined ? {} : { input }),
      })
    } catch (error) {
      if (!(error instanceof ReeveError) || error.code !== 'failed') throw error
      const isLate = error.message.includes('did not end within')
      const message = isLate ? `git did not end within ${timeout / 1000} s` : messageOf(error)
      throw new SourceError(isLate ? 'TimedOut' : 'TooLarge', message)
    }
  }

  function failure(exitCode: number, stderr: string): SourceError {
    // A shell's word for git being missing, and for its end by SIGXFSZ.
    if (exitCode === 127) return new SourceError('FetchFailed', 'there is no program git; install it')
    const { reason, message } = classifyFailure(exitCode === 153 ? `${stderr}\nFile size limit exceeded` : stderr)
    return new SourceError(reason, `${url.text}: ${message}`)
  }

  return {
    run,
    async expectDone(git, signal, options) {
      const { exitCode, stdout, stderr } = await run(git, signal, options)
      if (exitCode === 0) return stdout
      throw failure(exitCode, stderr)
    },
    failure,
  }
}
