import { writeSync } from 'node:fs'
import type { Log } from '../../../src/core/contracts/log.ts'
import { messageOf, ReeveError } from '../../../src/core/reeve-error.ts'
import { visibleLine } from '../../../src/core/text/visible-text.ts'
import { closeInheritedDescriptors } from '../../../src/host/inherited-descriptors.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import { runDaemon } from '../supervisor/daemon.ts'

/** `node supervisor.js DIRECTORY`: the built-in supervisor as a process. The provider starts it on demand. */
const [directory] = process.argv.slice(2)
const ending = new AbortController()
process.umask(0o077)
closeInheritedDescriptors()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ending.abort())
process.on('SIGHUP', () => {})

try {
  if (directory === undefined) throw new ReeveError('usage', 'expected the directory of the supervisor')
  await runDaemon(directory, createWriteHost(), createLineLog(), ending.signal)
} catch (error) {
  // Of two that were started simultaneously, one exits.
  if (!(error instanceof ReeveError && error.code === 'locked')) {
    say('error', {}, messageOf(error))
    process.exitCode = 1
  }
}

/** Log for people, appended at once: the last lines before a crash matter most. */
function createLineLog(): Log {
  return {
    debug: () => {},
    info: (fields, message) => say('info', fields, message),
    warn: (fields, message) => say('warn', fields, message),
    error: (fields, message) => say('error', fields, message),
  }
}

function say(level: string, { service, ...fields }: Readonly<Record<string, unknown>>, message: string): void {
  const details = Object.entries(fields).map(([key, value]) => `${key}=${value}`)
  const words = [new Date().toISOString(), level, service === undefined ? '' : `${service}:`, message, ...details]
  try {
    writeSync(2, `${visibleLine(words.filter(word => word !== '').join(' '))}\n`)
  } catch {
    // A full disk must not end the supervisor.
  }
}
