import type { Bus } from '../../../src/core/contracts/bus.ts'
import type { Activation, Run } from '../../../src/core/state/observed.ts'
import { findUnits, type LoadedUnit, readNumber, readProperty, readTexts } from '../bus/manager.ts'
import type { Ground } from './ground.ts'
import type { LastRun, LastRunReader } from './last-run.ts'

interface Look extends Ground {
  readonly lastRuns: LastRunReader
}

/** Activation units: they start others on an event. */
export function isStarter(unit: string): boolean {
  return /\.(?:timer|socket|path)$/.test(unit)
}

/** Units that they start, as systemd determines it: `Unit=`, `Service=`, or the service of their own name. */
export async function findStarted(starters: readonly LoadedUnit[], bus: Bus): Promise<string[]> {
  const found = await Promise.all(starters.map(({ path }) => readTexts(bus, path, 'Unit', 'Triggers')))
  return [...new Set(found.flat())].sort()
}

/**
 * Event that timers, sockets and paths wait for, and the result of their last activation. `own`: the unit that is started,
 * if none of them is loaded.
 */
export async function readActivation(starters: readonly LoadedUnit[], own: string, look: Look): Promise<Activation> {
  const nextRun = await readNextRun(starters, look.bus)
  const accepting = await findAccepting(starters, look.bus)
  const { starts, units } = accepting
    ? { starts: [templateOfSocket(accepting.socket)], units: await findLastInstance(accepting, look.bus) }
    : await findStartedUnits(starters, own, look.bus)
  const { run, failure } = await readLastRun(units, starters, look)
  return {
    starts,
    ...(nextRun !== undefined && { nextRun }),
    ...(run && { lastRun: run }),
    ...(failure && { failure }),
    ...(accepting && { connections: accepting.connections }),
  }
}

async function findStartedUnits(
  starters: readonly LoadedUnit[],
  own: string,
  bus: Bus,
): Promise<{ starts: readonly string[]; units: readonly LoadedUnit[] }> {
  const started = await findStarted(starters, bus)
  const starts = started.length > 0 ? started : [own]
  const units = await findUnits(bus, starts)
  return { starts, units: starts.flatMap(name => units.get(name) ?? []) }
}

/** Of several units, the last started one gives the result, and every failed one is reported. */
async function readLastRun(
  units: readonly LoadedUnit[],
  starters: readonly LoadedUnit[],
  look: Look,
): Promise<Partial<LastRun>> {
  const [first] = starters
  const since = first ? (await readNumber(look.bus, first.path, 'Unit', 'ActiveEnterTimestamp')) / 1_000 : 0
  const isTimer = starters.some(({ name }) => name.endsWith('.timer'))
  const came = await readLastTrigger(starters, look.bus)
  const found = await Promise.all(
    units.map(async unit => {
      const missed = came >= since ? await findMissed(unit, came, look.bus) : undefined
      return missed ?? look.lastRuns.read(unit, { isTimer, since }, look)
    }),
  )
  const known = found.flatMap(one => one ?? []).sort((a, b) => (b.run.began ?? 0) - (a.run.began ?? 0))
  const failure = known.find(one => one.failure)?.failure
  // A timer remembers when it elapsed, even beyond a boot; the result is no longer known.
  const forgotten: Run | undefined = came > 0 ? { began: came, outcome: 'unknown' } : undefined
  const run = known[0]?.run ?? forgotten
  return { ...(run && { run }), ...(failure && { failure }) }
}

/** When a timer last elapsed, in ms since 1970; 0 if never. */
async function readLastTrigger(starters: readonly LoadedUnit[], bus: Bus): Promise<number> {
  const timers = starters.filter(({ name }) => name.endsWith('.timer'))
  const times = await Promise.all(timers.map(({ path }) => readNumber(bus, path, 'Timer', 'LastTriggerUSec')))
  return Math.max(0, ...times) / 1_000
}

/**
 * A timer elapsed, and its unit has not been started for it: it must not or could not start. The unit keeps no trace of
 * that.
 */
async function findMissed({ active, path }: LoadedUnit, came: number, bus: Bus): Promise<LastRun | undefined> {
  if (active !== 'inactive') return undefined
  const names = ['InactiveExitTimestamp', 'InactiveEnterTimestamp', 'ConditionTimestamp']
  const times = await Promise.all(names.map(async name => (await readNumber(bus, path, 'Unit', name)) / 1_000))
  const [began = 0, ended = 0, judged = 0] = times
  const job = await readProperty(bus, path, 'Unit', 'Job')
  // It may still be about to begin.
  if (came <= began || came <= ended || (Array.isArray(job) && job[0] !== 0)) return undefined
  const isMet = judged < came || (await readProperty(bus, path, 'Unit', 'ConditionResult')) === true
  if (!isMet) return { run: { began: came, outcome: 'skipped', message: 'a condition of its unit was not met' } }
  return { run: { began: came, outcome: 'failed', message: notStarted }, failure: { message: notStarted, at: came } }
}

const notStarted =
  'it could not be started: a unit that it requires has failed, or an assertion of its own does not hold'

/** Larger ones are systemd's infinity. */
const LATEST = 2 ** 62

async function readNextRun(starters: readonly LoadedUnit[], bus: Bus): Promise<number | undefined> {
  const timers = starters.filter(({ name, active }) => name.endsWith('.timer') && active === 'active')
  const times = await Promise.all(timers.map(({ path }) => readElapses(path, bus)))
  const next = Math.min(...times.flat())
  return Number.isFinite(next) ? next : undefined
}

/** In ms since 1970: systemd's monotonic times count from where the clock was when the timer was started. */
async function readElapses(path: string, bus: Bus): Promise<number[]> {
  const [realtime, monotonic] = await Promise.all([
    readNumber(bus, path, 'Timer', 'NextElapseUSecRealtime'),
    readNumber(bus, path, 'Timer', 'NextElapseUSecMonotonic'),
  ])
  const [began, beganMonotonic] = await Promise.all([
    readNumber(bus, path, 'Unit', 'ActiveEnterTimestamp'),
    readNumber(bus, path, 'Unit', 'ActiveEnterTimestampMonotonic'),
  ])
  const isDue = (time: number): boolean => time > 0 && time < LATEST
  return [
    ...(isDue(realtime) ? [realtime / 1_000] : []),
    ...(isDue(monotonic) ? [(monotonic - beganMonotonic + began) / 1_000] : []),
  ]
}

/** A socket with `Accept=yes`, which has an instance of a template for each connection. */
interface Accepting {
  readonly socket: LoadedUnit
  readonly connections: NonNullable<Activation['connections']>
}

async function findAccepting(starters: readonly LoadedUnit[], bus: Bus): Promise<Accepting | undefined> {
  for (const socket of starters.filter(({ name }) => name.endsWith('.socket'))) {
    if ((await readProperty(bus, socket.path, 'Socket', 'Accept')) !== true) continue
    const [accepted, open] = await Promise.all([
      readNumber(bus, socket.path, 'Socket', 'NAccepted'),
      readNumber(bus, socket.path, 'Socket', 'NConnections'),
    ])
    return { socket, connections: { accepted, open } }
  }
  return undefined
}

function templateOfSocket({ name }: LoadedUnit): string {
  return name.replace(/\.socket$/, '@.service')
}

/** Instance of the last connection, if systemd still has it: it forgets successful ones, and keeps failed ones. */
async function findLastInstance({ socket, connections }: Accepting, bus: Bus): Promise<readonly LoadedUnit[]> {
  // They are counted from 0: `talk@4-86-1000.service`, `talk@4-10.0.0.1:22-10.0.0.2:9.service`.
  const start = templateOfSocket(socket).replace('@.service', `@${connections.accepted - 1}-`)
  const instances = await readTexts(bus, socket.path, 'Unit', 'Triggers')
  const names = instances.filter(name => name.startsWith(start))
  const units = await findUnits(bus, names)
  return names.flatMap(name => units.get(name) ?? [])
}
