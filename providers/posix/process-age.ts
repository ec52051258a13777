import type { ProcessFacts, ReadHost } from '../../src/core/contracts/host.ts'

/** Clock ticks per second in /proc, whatever the kernel's own clock is. */
const ticksPerSecond = 100

/** Age in ms from which a process counts as old. */
const oldAge = 3_000

/** Start time of a process in ms since 1970, at most a second too early, and the same at each observation. */
export function readStart({ startTime }: ProcessFacts, host: ReadHost): number {
  return (readBoot(host) + Number(startTime) / ticksPerSecond) * 1_000
}

/** Seconds since 1970. */
function readBoot(host: ReadHost): number {
  return Number(/^btime (\d+)$/m.exec(host.readText('/proc/stat') ?? '')?.[1])
}

/**
 * Start time of an old process in ms since 1970, at most a second too early: the same at each observation, and without a
 * query. Undefined for younger processes.
 */
export function createAgeReader(host: ReadHost): (process: ProcessFacts) => number | undefined {
  const [uptime = Number.NaN] = (host.readText('/proc/uptime') ?? '').split(' ').map(Number)
  const boot = readBoot(host)
  return ({ startTime }) => {
    const started = Number(startTime) / ticksPerSecond
    return (uptime - started) * 1_000 >= oldAge ? (boot + started) * 1_000 : undefined
  }
}
