import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ReeveError } from '../../../src/core/reeve-error.ts'
import { acquireLock } from '../../../src/host/lock.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'

/**
 * Takes the lock so many times, and logs each time that it got the lock and released it; if asked to, it dies in between the
 * last time. Waits while another process holds the lock.
 */
const [directory = '', log = '', times = '1', last = 'release'] = process.argv.slice(2)
const host = createWriteHost()
for (let left = Number(times); left > 0; ) {
  try {
    const lock = await acquireLock(directory, `contender ${process.pid}`, host)
    appendFileSync(log, `in ${process.pid}\n`)
    await sleep(Math.random() * 5)
    appendFileSync(log, `out ${process.pid}\n`)
    left -= 1
    if (left === 0 && last === 'die') process.kill(process.pid, 'SIGKILL')
    lock.release()
  } catch (error) {
    if (!(error instanceof ReeveError) || error.code !== 'locked') throw error
    appendFileSync(log, `refused ${process.pid} ${/process (\d+)/.exec(error.message)?.[1]}\n`)
  }
  await sleep(Math.random() * 5)
}
