import type { ReadHost } from '../../src/core/provider.ts'
import type { Unwritable } from '../../src/core/unwritable.ts'
import type { Clock } from '../../src/host/clock.ts'
import { beat } from '../../src/host/common-beat.ts'
import { openDeadline } from '../../src/host/deadline.ts'
import { isTable, parseTable } from '../posix/table.ts'
import type { Layout } from './layout.ts'
import { parseRecord, type ServiceRecord } from './service-record.ts'

/**
 * What goes over telling.sock: one line of JSON at once, and another whenever it changes. Nothing is asked. It holds only what
 * could not be written down; where it says nothing of a service, what stands in `state/` is true.
 */
export interface Telling {
  readonly unwritable: readonly Unwritable[]
  readonly records: ReadonlyMap<string, ServiceRecord>
}

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
  if (host.facts(layout.telling) === undefined) return nothing
  using deadline = openDeadline(clock, hearingTimeout)
  try {
    for await (const line of host.hear(layout.telling, deadline.signal)) return parseTelling(line)
  } catch {
    // It is dead, hangs, or ends: what is written down is all there is to know.
  }
  return nothing
}

/** How often it is seen whether there is a supervisor to hear, in ms. */
const interval = 500

/** Calls `hint` whenever what the supervisor tells has changed: of what it can't write down, no file tells. */
export function followTelling(layout: Layout, host: ReadHost, hint: () => void): Disposable {
  const ending = new AbortController()
  let isHeard = false

  async function hear(): Promise<void> {
    isHeard = true
    let count = 0
    try {
      for await (const _line of host.hear(layout.telling, ending.signal)) {
        count += 1
        // What it says at first is seen by whoever looks at all.
        if (count > 1) hint()
      }
    } catch {
      // It isn't there, or no longer.
    }
    isHeard = false
  }

  function look(): void {
    if (!isHeard && host.facts(layout.telling)) void hear()
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
