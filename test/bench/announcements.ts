import { mkdirSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { CliFixture } from '../labs/cli-fixture.ts'

/** Services that report themselves when they run: nothing has to be queried, and observing costs nothing. */
export interface Announcements {
  /** Command line of a service that announces its process and sleeps. */
  command(service: string): readonly string[]
  /** Pid of its process that announced itself last. */
  pid(service: string): number
  /** Time (ms, `performance.now`) at which a process other than `before` has announced itself. */
  next(service: string, before: number): Promise<number>
}

/** Time in ms that a service may take to come back. */
const PATIENCE = 60_000

/** For one test; the services write into the fixture. */
export function openAnnouncements(fixture: CliFixture): Announcements {
  const directory = fixture.path('announcements')
  mkdirSync(directory)
  const waiting = new Map<string, () => void>()
  const watcher = watch(directory, (_event, name) => waiting.get(name ?? '')?.())
  onTestFinished(() => watcher.close())

  function pid(service: string): number {
    return Number(readFileSync(join(directory, service), 'utf8'))
  }

  return {
    command: service => ['/bin/sh', '-c', 'echo $$ >"$0"; exec sleep 86400', join(directory, service)],
    pid,
    next(service, before) {
      return new Promise((resolve, reject) => {
        const limit = setTimeout(() => reject(new Error(`${service} did not come back in ${PATIENCE} ms`)), PATIENCE)
        waiting.set(service, () => {
          const found = pid(service)
          if (found === 0 || found === before) return // it is just being written
          clearTimeout(limit)
          waiting.delete(service)
          resolve(performance.now())
        })
      })
    },
  }
}
