import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { Clock } from '../../src/host/clock.ts'
import type { Processes } from './simulated-supervisor.ts'
import { wordOf } from './supervised-definition.ts'

/**
 * Failing programs of a simulated supervisor. Words of its command define the behaviour of a program:
 *
 *   port=80      it exits if another has that port, and keeps the port until it ends
 *   writes=FILE  it reads FILE as it begins, and writes that back as it ends
 *   faulty       it exits a while after each start
 *
 * `troubles` has its problems, by the name of its service.
 */
export interface Programs extends Processes {
  readonly troubles: Map<string, Trouble>
  /** Ports that a stranger has. */
  readonly taken: Set<string>
  isAlive(pid: number): boolean
  /** A health check asks the service: false if it doesn't answer. */
  answers(service: string): boolean
  /** The program of a service hangs, and answers nothing any more; a new process of it will. */
  getStuck(service: string): void
  /** It ends by itself, like a crash. */
  crash(service: string): void
}

export type Trouble =
  /** No process of it answers. */
  | 'hangs'
  /** Each process of it exits a while after its start. */
  | 'crashes'

interface Live {
  readonly pid: number
  readonly port: string | undefined
  isStuck: boolean
  readonly end: () => void
}

export interface ProgramsOptions {
  readonly clock: Clock
  /** A process of the service has begun: effect of a hook in its script. */
  started(key: string): void
}

/** In ms: soon, and late enough to be observed running in between. */
const LIFETIMES = [300, 4_000] as const

export function createPrograms({ clock, started }: ProgramsOptions): Programs {
  /** By service. */
  const live = new Map<string, Live>()
  const troubles = new Map<string, Trouble>()
  const taken = new Set<string>()
  let pid = 0

  function isHeld(port: string, service: string): boolean {
    return taken.has(port) || [...live].some(([name, one]) => name !== service && one.port === port)
  }

  return {
    troubles,
    taken,
    start(command, ended, key) {
      pid += 1
      const own = pid
      const service = basename(key)
      const port = wordOf(command, 'port')
      const file = wordOf(command, 'writes')
      const memory = file !== undefined && existsSync(file) ? readFileSync(file) : undefined
      const isAlive = (): boolean => live.get(service)?.pid === own
      const end = (): void => {
        if (!isAlive()) return
        live.delete(service)
        ended()
      }
      const isRefused = port !== undefined && isHeld(port, service)
      live.set(service, { pid: own, port: isRefused ? undefined : port, isStuck: false, end })
      const isSick = isRefused || troubles.get(service) === 'crashes' || command.includes('faulty')
      if (isSick) clock.after(LIFETIMES[own % LIFETIMES.length] ?? 0, end)
      started(key)
      return {
        pid: own,
        async stop() {
          if (!isAlive()) return
          live.delete(service)
          if (file !== undefined && memory) writeFileSync(file, memory)
        },
      }
    },
    isAlive: pid => [...live.values()].some(one => one.pid === pid),
    answers(service) {
      const process = live.get(service)
      return process !== undefined && !process.isStuck && troubles.get(service) !== 'hangs'
    },
    getStuck(service) {
      const process = live.get(service)
      if (process) process.isStuck = true
    },
    crash: service => live.get(service)?.end(),
  }
}
