import { writeSync } from 'node:fs'
import { applyOnce } from '../../src/engine/execution/apply.ts'
import { openSession } from '../../src/engine/session/session.ts'
import { createWriteHost } from '../../src/host/write-host.ts'
import { dieAt } from './dying.ts'

/**
 * One `reeve apply`, which kills itself at one of its effects: `CONFIG MANIFESTS STATE MOMENT all|distinct`; see `dieAt`. Prints the
 * number of moments on stdout, and the effect at which it died.
 */
const [config = '', directory = '', stateDir = '', moment = '', which = ''] = process.argv.slice(2)
const { onEffect, count } = dieAt(Number(moment), which === 'distinct' ? 'distinct' : 'all')

const session = await openSession({
  config,
  directory,
  stateDir,
  insecurePermissions: true,
  createWriteHost: options => createWriteHost({ ...options, onEffect }),
})
const { failed, notReady } = await applyOnce(session, {
  allowRemovals: 1_000,
  signal: new AbortController().signal,
  listener() {},
})
writeSync(1, `${count()}\n`)
if (failed.length > 0 || notReady.length > 0) {
  writeSync(2, JSON.stringify({ failed, notReady }))
  process.exitCode = 2
}
