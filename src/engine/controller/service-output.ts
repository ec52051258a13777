import type { Log } from '../../core/contracts/log.ts'
import type { FacilityStatus } from '../../core/contracts/status.ts'
import type { Facility } from '../../core/model/facility.ts'
import { messageOf } from '../../core/reeve-error.ts'
import type { WriteOut } from '../../host/patient-output.ts'
import type { Session } from '../session/session.ts'
import { readPositions, writePositions } from './output-positions.ts'
import { createOutputRelay, type OutputRelay } from './output-relay.ts'

/** Relays the output of services with `output: stdout` to the stdout of the controller. */
export interface ServiceOutput extends Disposable {
  /** Takes all declared facilities and their status. */
  follow(facilities: Iterable<Facility>, seen: readonly FacilityStatus[]): void
  /** Relays all output so far, as long as somebody reads it. */
  end(): Promise<void>
}

/** Interval in ms at which positions are recorded: after a kill, the next controller repeats at most that much. */
const POSITIONS_INTERVAL = 5_000

/** Longest time in ms that a reader may delay the end. */
const LONGEST_DRAIN = 2_000

export function openServiceOutput(session: Session, log: Log, write: WriteOut): ServiceOutput {
  const { clock, configuration, readHost } = session
  const { stateDirectory } = configuration
  const writeHost = session.openWriteHost()
  const relay = createOutputRelay({ host: readHost, log, write, known: readPositions(stateDirectory, readHost) })
  let written = ''
  let timer = clock.after(POSITIONS_INTERVAL, keep)

  function keep(): void {
    save()
    timer = clock.after(POSITIONS_INTERVAL, keep)
  }

  function save(): void {
    const positions = relay.positions()
    const text = JSON.stringify([...positions])
    if (text === written) return
    try {
      writePositions(stateDirectory, positions, writeHost)
      written = text
    } catch (error) {
      log.debug({ error: messageOf(error) }, 'how far the output of services is passed on could not be written down')
    }
  }

  return {
    follow(facilities, seen) {
      const files = new Map(seen.map(({ name, output }) => [name, output]))
      relay.follow(
        [...facilities].flatMap(({ name, process }) => {
          const file = process?.toStdout ? files.get(name) : undefined
          return file === undefined ? [] : [{ facility: name, file }]
        }),
      )
    },
    async end() {
      await drain(relay, session)
      save()
    },
    [Symbol.dispose]() {
      timer[Symbol.dispose]()
      relay[Symbol.dispose]()
    },
  }
}

function drain(relay: OutputRelay, { clock }: Session): Promise<void> {
  return new Promise(resolve => {
    const limit = clock.after(LONGEST_DRAIN, resolve)
    relay
      .drain()
      .catch(() => {}) // nobody reads it any more
      .finally(() => {
        limit[Symbol.dispose]()
        resolve()
      })
  })
}
