import type { VerifyConfiguration } from '../core/model/source-configuration.ts'
import type { Clock } from '../host/clock.ts'
import type { ScratchHost } from '../host/scratch.ts'
import { sha256 } from '../host/sha256.ts'
import type { GitRepository } from './git-repository.ts'
import { checkSignature } from './signature-check.ts'
import { SourceError } from './source-error.ts'
import { type Candidate, expectTrusted } from './trust.ts'

export interface TrustKeepingOptions {
  readonly repository: GitRepository
  /** Of Reeve's own, for signatures while they are looked at. */
  readonly directory: string
  readonly host: ScratchHost
  readonly searchPath: string
  readonly clock: Clock
}

/** So often (ms) the revision in force is verified again, as keys expire. */
const recheckInterval = 60 * 60_000

/** Trust in a source: what comes is verified before it comes into force, and what is in force whenever the keys may say otherwise. */
export interface Trust {
  /** Gives who signed it. Throws SourceError `Untrusted`. */
  expect(candidate: Candidate, signal: AbortSignal): Promise<string>
  /** The same of the revision in force, where it was not verified lately with these keys. */
  expectStill(inForce: Candidate, signal: AbortSignal): Promise<void>
}

export function openTrust(verify: VerifyConfiguration, options: TrustKeepingOptions): Trust {
  const { clock, host } = options
  const check = { signers: verify.signers, now: () => clock.now(), ...options }
  const trusting = {
    verify,
    repository: options.repository,
    check: (signed: Parameters<typeof checkSignature>[0], signal: AbortSignal) => checkSignature(signed, check, signal),
  }
  let verified: { readonly keys: string; readonly at: number } | undefined

  function digestKeys(): string {
    const { file, revoked, keyring } = verify.signers
    return sha256(
      [file, revoked, keyring].map(path => (path === undefined ? '' : sha256(host.readFile(path) ?? ''))).join(),
    )
  }

  async function expect(candidate: Candidate, signal: AbortSignal): Promise<string> {
    const keys = digestKeys()
    const signer = await expectTrusted(candidate, trusting, signal)
    verified = { keys, at: clock.now() }
    return signer
  }

  return {
    expect,
    async expectStill(inForce, signal) {
      if (verified?.keys === digestKeys() && Math.abs(clock.now() - verified.at) < recheckInterval) return
      verified = undefined
      try {
        await expect({ ...inForce, after: inForce.commit }, signal)
      } catch (error) {
        if (!(error instanceof SourceError) || error.reason !== 'Untrusted') throw error
        throw new SourceError('Untrusted', `the revision in force was trusted and is not any more: ${error.message}`)
      }
    },
  }
}
