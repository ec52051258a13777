import type { ProcessFacts, ReadHost } from '../../src/core/contracts/host.ts'

/** Of /proc, whatever the kernel's own clock is. */
const ticksPerSecond = 100

/** A process of this age (ms) or older has been at work for long. */
const oldAge = 3_000

/** When the process began, in milliseconds since 1970, at most a second too early, and the same at each look. */
export function readStart({ startTime }: ProcessFacts, host: ReadHost): number {
  return (readBoot(host) + Number(startTime) / ticksPerSecond) * 1_000
}

/** Seconds since 1970. */
function readBoot(host: ReadHost): number {
  return Number(/^btime (\d+)$/m.exec(host.readText('/proc/stat') ?? '')?.[1])
}

/**
 * Tells since when old processes run, in milliseconds since 1970, at most a second too early: the same at each look, and
 * without asking anybody. Undefined for younger ones.
 */
export function createAgeReader(host: ReadHost): (process: ProcessFacts) => number | undefined {
  const [uptime = Number.NaN] = (host.readText('/proc/uptime') ?? '').split(' ').map(Number)
  const boot = readBoot(host)
  return ({ startTime }) => {
    const started = Number(startTime) / ticksPerSecond
    return (uptime - started) * 1_000 >= oldAge ? (boot + started) * 1_000 : undefined
  }
}
