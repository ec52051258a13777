import type { ReadHost } from '../../../src/core/contracts/host.ts'
import { isObject, parseObject } from '../../../src/core/outside-value.ts'
import type { Unwritable } from '../../../src/core/state/unwritable.ts'
import type { Clock } from '../../../src/host/clock.ts'
import { beat } from '../../../src/host/common-beat.ts'
import { openDeadline } from '../../../src/host/deadline.ts'
import { hearLines } from '../../../src/host/socket-lines.ts'
import type { Layout } from './layout.ts'
import { parseRecord, type ServiceRecord } from './service-record.ts'
import { findSupervisor } from './supervisor-process.ts'

/**
 * Protocol of telling.sock: one line of JSON at once, and another whenever it changes. There are no requests. It contains
 * only what could not be recorded; for other services the files in `state/` are valid. While there is such a report, the
 * supervisor's process is named `tellingName`; otherwise nobody connects, so that observing does nothing but read (E2).
 */
export interface Telling {
  readonly unwritable: readonly Unwritable[]
  readonly records: ReadonlyMap<string, ServiceRecord>
}

/** Sign that takes no space on a full disk, and can be given on a read-only one. */
export const tellingName = 'reeve-unwritten'

const nothing: Telling = { unwritable: [], records: new Map() }

/** Time in ms that the supervisor may take to report. It may hang, as its disk may. */
const hearingTimeout = 2_000

export function formatTelling({ unwritable, records }: Telling): string {
  return JSON.stringify({ unwritable, records: [...records].map(([service, record]) => ({ service, record })) })
}

export function parseTelling(line: string): Telling {
  const { unwritable, records } = parseObject(line) ?? {}
  const told = new Map<string, ServiceRecord>()
  for (const entry of Array.isArray(records) ? records : []) {
    if (!isObject(entry) || typeof entry.service !== 'string') continue
    const record = parseRecord(JSON.stringify(entry.record))
    if (record) told.set(entry.service, record)
  }
  return { unwritable: Array.isArray(unwritable) ? unwritable.filter(isUnwritablePlace) : [], records: told }
}

function isUnwritablePlace(value: unknown): value is Unwritable {
  return (
    isObject(value) &&
    typeof value.path === 'string' &&
    typeof value.message === 'string' &&
    typeof value.since === 'number'
  )
}

/** Current report of the directory's supervisor; empty if it is dead or doesn't answer. */
export async function hearSupervisor(layout: Layout, host: ReadHost, clock: Clock): Promise<Telling> {
  if (!hasToTell(layout, host)) return nothing
  using deadline = openDeadline(clock, hearingTimeout)
  try {
    for await (const line of hearLines(layout.telling, deadline.signal)) return parseTelling(line)
  } catch {
    // It is dead, hangs, or ends: only the recorded state is known.
  }
  return nothing
}

/** An unreadable directory is reported by `findProblem`. */
function hasToTell(layout: Layout, host: ReadHost): boolean {
  try {
    const supervisor = findSupervisor(host, layout)
    return supervisor.state === 'alive' && host.readText(`/proc/${supervisor.pid}/comm`)?.trimEnd() === tellingName
  } catch {
    return false
  }
}

/** Interval in ms at which the supervisor is checked for a report. */
const interval = 500

/** Calls `hint` whenever the supervisor's report has changed: no file shows what it can't record. */
export function followTelling(layout: Layout, host: ReadHost, hint: () => void): Disposable {
  const ending = new AbortController()
  let isHeard = false

  async function hear(): Promise<void> {
    isHeard = true
    try {
      for await (const _line of hearLines(layout.telling, ending.signal)) hint()
    } catch {
      // The supervisor isn't there, or no longer.
    }
    isHeard = false
  }

  function look(): void {
    if (!isHeard && hasToTell(layout, host)) void hear()
  }

  const beats = beat(interval, look)
  look()
  return {
    [Symbol.dispose]() {
      beats[Symbol.dispose]()
      ending.abort()
    },
  }
}
