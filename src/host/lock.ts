import { join } from 'node:path'
import type { ReadHost, WriteHost } from '../core/contracts/host.ts'
import { parseObject } from '../core/outside-value.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { type Clock, createClock } from './clock.ts'
import { isUnwritable } from './failure.ts'
import { isAlive } from './process-identity.ts'
import { sha256 } from './sha256.ts'
import { readTrusted } from './trusted-reading.ts'

/**
 * One writer per state directory (E15), by a lock that dies with its holder.
 *
 * Whoever wants the lock puts a claim file into its directory, named by the identity of the process, and only then looks
 * for others. Of two who do that, the one whose claim came second sees the first's; so never do both hold it.
 *
 *   claim written, nobody else's is alive   → it holds the lock
 *   another holds it                        → own claim removed, refused
 *   others are claiming it too              → the least name waits, the others remove theirs and try again
 *
 * A claim counts while its process lives. No process ever gets the same name, so a dead one's may be removed by anybody.
 * Processes see each other only within one pid namespace: two containers must not share a state directory.
 */
export interface Lock extends Disposable {
  readonly holder: Holder
  /** Releases the lock; may be called again. */
  release(): void
}

export interface Holder {
  readonly pid: number
  /** Command of the holder: `reeve run`. */
  readonly command: string
  /** ISO 8601. */
  readonly since: string
}

interface Claim extends Holder {
  readonly name: string
  readonly held: boolean
}

/** Time in ms to wait for others that are about to take the lock. */
const patience = 5_000

/** Time between two tries in ms, times a random factor of 1 to 2, so that two processes don't keep colliding. */
const pause = 15

const claimPattern = /^(\d+)-(\d+)-([0-9a-f]{8})\.json$/

/**
 * Takes the lock, or throws ReeveError `locked` that says who holds it. `directory` is the lock's own, made if missing.
 * `purpose` is for the others to read.
 */
export async function acquireLock(
  directory: string,
  purpose: string,
  host: WriteHost,
  clock: Clock = createClock(),
): Promise<Lock> {
  const name = nameOwnClaim(host)
  const path = join(directory, name)
  const holder: Holder = { pid: process.pid, command: purpose, since: new Date(host.now()).toISOString() }
  const write = (held: boolean): void => {
    try {
      host.writeFile(path, `${JSON.stringify({ ...holder, held })}\n`, { mode: 0o644, isFleeting: true })
    } catch (error) {
      if (!isUnwritable(error)) throw error
      // Content that isn't a claim counts as a held one and takes no space: services are managed on a full disk too.
      const before = readClaim(directory, name, host)
      if (!before?.held) host.appendFile(path, before ? '-' : '', { mode: 0o644 })
    }
  }
  const withdraw = (): void => host.removeFile(path)

  // A second one in the same process would have the same name.
  if (readClaim(directory, name, host)) throw createRefusal(directory, { ...holder, name, held: true })
  host.makeDirectory(directory, { mode: 0o755 })
  const listOthers = (): Claim[] => listLiveClaims(directory, host).filter(claim => claim.name !== name)
  const deadline = clock.elapsed() + patience
  let claimed = false
  for (;;) {
    let others = listOthers()
    if (others.length === 0 && !claimed) {
      write(false)
      claimed = true
      others = listOthers()
    }
    const [first] = others
    if (first === undefined) break
    const winner = others.find(claim => claim.held) ?? (clock.elapsed() > deadline ? first : undefined)
    if (claimed && (winner || others.some(claim => claim.name < name))) {
      withdraw()
      claimed = false
    }
    if (winner) throw createRefusal(directory, winner)
    await clock.sleep(pause * (1 + Math.random()))
  }
  write(true)
  removeStaleClaims(directory, host)
  return { holder, release: withdraw, [Symbol.dispose]: withdraw }
}

/** Throws ReeveError `locked` if somebody holds the lock now. Takes nothing: it may be taken a moment later. */
export function expectFree(directory: string, host: ReadHost): void {
  const holder = listLiveClaims(directory, host).find(claim => claim.held)
  if (holder) throw createRefusal(directory, holder)
}

/** Holder of the lock, if any. */
export function findHolder(directory: string, host: ReadHost): Holder | undefined {
  const claim = listLiveClaims(directory, host).find(candidate => candidate.held)
  return claim && { pid: claim.pid, command: claim.command, since: claim.since }
}

function listLiveClaims(directory: string, host: ReadHost): Claim[] {
  const claims: Claim[] = []
  for (const name of host.readDirectory(directory) ?? []) {
    if (!claimPattern.test(name) || !isHeld(name, host)) continue
    const claim = readClaim(directory, name, host)
    if (claim) claims.push(claim)
  }
  return claims
}

/** Safe at any time: see above. */
function removeStaleClaims(directory: string, host: WriteHost): void {
  for (const name of host.readDirectory(directory) ?? []) {
    if (claimPattern.test(name) && !isHeld(name, host)) host.removeFile(join(directory, name))
  }
}

/** The identity of a process for good: its pid, when it started, and in which boot. */
function nameOwnClaim(host: ReadHost): string {
  const facts = host.process(process.pid)
  if (!facts) throw new ReeveError('failed', 'cannot take the lock: expected /proc to show this process; mount /proc')
  return `${facts.pid}-${facts.startTime}-${digestBoot(host)}.json`
}

function isHeld(name: string, host: ReadHost): boolean {
  const [, pid, startTime = '', boot] = claimPattern.exec(name) ?? []
  return boot === digestBoot(host) && isAlive({ pid: Number(pid), startTime }, host)
}

function digestBoot(host: ReadHost): string {
  return sha256(host.bootId()).slice(0, 8)
}

/** Undefined if it is gone. One that can't be read counts as held: its process is alive. */
function readClaim(directory: string, name: string, host: ReadHost): Claim | undefined {
  const text = readTrusted(join(directory, name), host)
  if (text === undefined) return undefined
  const pid = Number(claimPattern.exec(name)?.[1])
  const value = parseObject(text) ?? {}
  return {
    name,
    pid,
    command: typeof value.command === 'string' ? value.command : 'an unknown command',
    since: typeof value.since === 'string' ? value.since : 'an unknown time',
    held: value.held !== false,
  }
}

function createRefusal(directory: string, claim: Claim): ReeveError {
  const who = `another Reeve (pid ${claim.pid}, \`${claim.command}\`) has held ${directory} since ${claim.since}`
  const remedy = 'wait for it to end, stop it, or use another --state-dir'
  return new ReeveError('locked', `${who}; ${remedy}`)
}
