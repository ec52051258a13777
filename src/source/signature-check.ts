import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { ContainedRunResult } from '../core/contracts/runs.ts'
import type { SignerConfiguration } from '../core/model/source-configuration.ts'
import { messageOf } from '../core/reeve-error.ts'
import type { ScratchHost } from '../host/scratch.ts'
import { findWeakness, type Signed } from './signature.ts'
import { SourceError } from './source-error.ts'

/** Who has signed, as the file of the signers, or the key ring, calls them; or why that doesn't count. */
export type Verdict = { readonly signer: string } | { readonly problem: string }

export interface SignatureCheckOptions {
  readonly signers: SignerConfiguration
  /** A directory of Reeve's own, for signatures while they are looked at. */
  readonly directory: string
  readonly host: ScratchHost
  readonly searchPath: string
  /** Milliseconds since 1970: at which time keys have to be valid, whenever it was signed. */
  now(): number
}

const timeout = 30_000
const outputLimit = 64 * 1024

/** Hash algorithms of OpenPGP that are broken: MD5, SHA-1, RIPEMD-160. */
const weakHashes: ReadonlySet<string> = new Set(['1', '2', '3'])

/** What OpenPGP's checker says of a signature besides whose it is. */
const gpgProblems: readonly (readonly [word: string, problem: string])[] = [
  ['REVKEYSIG', 'its key has been revoked'],
  ['EXPKEYSIG', 'its key has expired'],
  ['EXPSIG', 'the signature has expired'],
  ['BADSIG', 'the signature is not of this content'],
  ['NO_PUBKEY', 'its key is not in the key ring'],
  ['ERRSIG', 'the signature cannot be checked'],
]

/** Asks `ssh-keygen` or `gpgv` about one signature, with the keys as they are now. Throws SourceError if they aren't there. */
export function checkSignature(signed: Signed, options: SignatureCheckOptions, signal: AbortSignal): Promise<Verdict> {
  return signed.kind === 'ssh' ? checkBySsh(signed, options, signal) : checkByGpg(signed, options, signal)
}

async function checkBySsh(signed: Signed, options: SignatureCheckOptions, signal: AbortSignal): Promise<Verdict> {
  const { file: signers, revoked } = options.signers
  if (signers === undefined)
    return { problem: 'it is signed with an SSH key, and no signers are named (verify.signers)' }
  const weakness = tryWeakness(signed.signature)
  if (weakness !== undefined) return { problem: weakness }
  const when = ['-O', `verify-time=${timeText(options.now())}`]
  return withSignature(signed, options, async path => {
    const find = ['ssh-keygen', '-Y', 'find-principals', '-s', path, '-f', signers, ...when]
    const found = await run(find, options, signal)
    const [principal] = linesOf(found.stdout)
    if (found.exitCode !== 0 || principal === undefined) return { problem: explainSsh(found.stderr) }
    const verify = ['ssh-keygen', '-Y', 'verify', '-n', 'git', '-I', principal, '-s', path, '-f', signers, ...when]
    const result = await run(
      [...verify, ...(revoked === undefined ? [] : ['-r', revoked])],
      options,
      signal,
      signed.payload,
    )
    if (result.exitCode === 0) return { signer: principal }
    // Of a revoked key, ssh-keygen doesn't say why.
    const isRevoked = revoked !== undefined && (await run(verify, options, signal, signed.payload)).exitCode === 0
    if (isRevoked) return { problem: 'its key has been revoked' }
    return { problem: explainSsh(`${result.stderr}\n${linesOf(result.stdout).join('\n')}`) }
  })
}

function tryWeakness(signature: string): string | undefined {
  try {
    return findWeakness(signature)
  } catch (error) {
    return messageOf(error)
  }
}

function explainSsh(text: string): string {
  if (/key has expired/.test(text)) return 'its key has expired'
  if (/key is not yet valid/.test(text)) return 'its key is not valid yet'
  if (/No principal matched/.test(text)) return 'its key is not among the signers'
  if (/namespace/i.test(text)) return 'its signer may not sign commits'
  if (/incorrect signature|could not verify signature|Signature verification failed/i.test(text))
    return 'the signature is not of this content'
  const [first = 'ssh-keygen says nothing of it'] = linesOf(text)
  return first
}

async function checkByGpg(signed: Signed, options: SignatureCheckOptions, signal: AbortSignal): Promise<Verdict> {
  const { keyring } = options.signers
  if (keyring === undefined)
    return { problem: 'it is signed with OpenPGP, and no key ring is named (verify.gpgKeyring)' }
  return withSignature(signed, options, async path => {
    const command = ['gpgv', '--status-fd', '1', '--keyring', keyring, path, '-']
    const { stdout } = await run(command, options, signal, signed.payload)
    const status = linesOf(stdout).flatMap(line => (line.startsWith('[GNUPG:] ') ? [line.slice(9).split(' ')] : []))
    const found = gpgProblems.find(([word]) => status.some(([first]) => first === word))
    if (found) return { problem: found[1] }
    const valid = status.filter(([word]) => word === 'VALIDSIG')
    const good = status.find(([word]) => word === 'GOODSIG')
    const [only, second] = valid
    if (!good || !only || second) return { problem: 'the signature cannot be checked' }
    if (weakHashes.has(only[8] ?? ''))
      return { problem: 'its signature is made with a broken hash (MD5, SHA-1 or RIPEMD-160)' }
    return { signer: good.slice(2).join(' ') }
  })
}

async function withSignature<T>(
  { signature }: Signed,
  { directory, host }: SignatureCheckOptions,
  check: (path: string) => Promise<T>,
): Promise<T> {
  const path = join(directory, `signature-${createHash('sha256').update(signature).digest('hex').slice(0, 16)}`)
  host.makeDirectory(directory, { mode: 0o700 })
  host.writeFile(path, Buffer.from(signature, 'latin1'), { mode: 0o600, isFleeting: true })
  try {
    return await check(path)
  } finally {
    host.removeFile(path)
  }
}

async function run(
  command: readonly string[],
  { directory, host, searchPath }: SignatureCheckOptions,
  signal: AbortSignal,
  payload?: Uint8Array,
): Promise<ContainedRunResult> {
  // Times are given in the zone of the process.
  const environment = { PATH: searchPath, HOME: directory, GNUPGHOME: directory, LC_ALL: 'C', TZ: 'UTC' }
  try {
    return await host.runContained(command, {
      environment,
      directory,
      signal,
      timeout,
      outputLimit,
      ...(payload && { input: payload }),
    })
  } catch (error) {
    if (signal.aborted) throw error
    throw new SourceError('FetchFailed', `signatures cannot be checked: ${messageOf(error)}`)
  }
}

function linesOf(text: Uint8Array | string): string[] {
  const whole = typeof text === 'string' ? text : new TextDecoder().decode(text)
  return whole.split(/\r?\n/).filter(line => line.trim() !== '')
}

/** YYYYMMDDHHMMSS. */
function timeText(time: number): string {
  return new Date(time).toISOString().slice(0, 19).replace(/[-T:]/g, '')
}
