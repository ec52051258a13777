import { acquireLock } from '../../../src/host/lock.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'

/** Takes the lock, reports it, and keeps it until it is killed. */
const [directory = ''] = process.argv.slice(2)
await acquireLock(directory, 'reeve run', createWriteHost())
process.stdout.write('held\n')
setInterval(() => {}, 60_000)
