import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Unwritable } from '../../../src/core/state/unwritable.ts'
import type { Clock } from '../../../src/host/clock.ts'
import { beat } from '../../../src/host/common-beat.ts'
import { openDeadline } from '../../../src/host/deadline.ts'
import { isTable, parseTable } from '../../posix/table.ts'
import type { Layout } from './layout.ts'
import { parseRecord, type ServiceRecord } from './service-record.ts'
import { findSupervisor } from './supervisor-process.ts'

/**
 * What goes over telling.sock: one line of JSON at once, and another whenever it changes. Nothing is asked. It holds only what
 * could not be written down; where it says nothing of a service, what stands in `state/` is true. While there is something, the
 * supervisor is called `tellingName`; else nobody connects, so that a mere look does nothing but read (E2).
 */
export interface Telling {
  readonly unwritable: readonly Unwritable[]
  readonly records: ReadonlyMap<string, ServiceRecord>
}

/** A sign that takes no room on a full disk, and can be given on a read-only one. */
export const tellingName = 'reeve-unwritten'

const nothing: Telling = { unwritable: [], records: new Map() }

/** How long the supervisor may take to tell, in ms. It may hang, as its disk does. */
const hearingTimeout = 2_000

export function formatTelling({ unwritable, records }: Telling): string {
  return JSON.stringify({ unwritable, records: [...records].map(([service, record]) => ({ service, record })) })
}

export function parseTelling(line: string): Telling {
  const { unwritable, records } = parseTable(line) ?? {}
  const told = new Map<string, ServiceRecord>()
  for (const entry of Array.isArray(records) ? records : []) {
    if (!isTable(entry) || typeof entry.service !== 'string') continue
    const record = parseRecord(JSON.stringify(entry.record))
    if (record) told.set(entry.service, record)
  }
  return { unwritable: Array.isArray(unwritable) ? unwritable.filter(isUnwritablePlace) : [], records: told }
}

function isUnwritablePlace(value: unknown): value is Unwritable {
  return (
    isTable(value) &&
    typeof value.path === 'string' &&
    typeof value.message === 'string' &&
    typeof value.since === 'number'
  )
}

/** What the supervisor of the directory tells now. Of one that doesn't live, or doesn't answer, there is nothing. */
export async function hearSupervisor(layout: Layout, host: ReadHost, clock: Clock): Promise<Telling> {
  if (!hasToTell(layout, host)) return nothing
  using deadline = openDeadline(clock, hearingTimeout)
  try {
    for await (const line of host.hear(layout.telling, deadline.signal)) return parseTelling(line)
  } catch {
    // It is dead, hangs, or ends: what is written down is all there is to know.
  }
  return nothing
}

/** That it can't be looked at is told of by `findProblem`. */
function hasToTell(layout: Layout, host: ReadHost): boolean {
  try {
    const supervisor = findSupervisor(host, layout)
    return supervisor.state === 'alive' && host.readText(`/proc/${supervisor.pid}/comm`)?.trimEnd() === tellingName
  } catch {
    return false
  }
}

/** How often it is seen whether there is something to hear, in ms. */
const interval = 500

/** Calls `hint` whenever what the supervisor tells has changed: of what it can't write down, no file tells. */
export function followTelling(layout: Layout, host: ReadHost, hint: () => void): Disposable {
  const ending = new AbortController()
  let isHeard = false

  async function hear(): Promise<void> {
    isHeard = true
    try {
      for await (const _line of host.hear(layout.telling, ending.signal)) hint()
    } catch {
      // It isn't there, or no longer.
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
