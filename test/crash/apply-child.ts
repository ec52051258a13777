import { writeSync } from 'node:fs'
import { applyOnce } from '../../src/engine/execution/apply.ts'
import { openSession } from '../../src/engine/session/session.ts'
import type { EffectListener } from '../../src/host/effects.ts'
import { createWriteHost } from '../../src/host/write-host.ts'

/**
 * One `reeve apply`, which kills itself at one of its effects: `CONFIG MANIFESTS STATE MOMENT all|distinct`. There are two
 * moments for each effect, before it and after it, counted from 1; at 0 it survives. `distinct`: the state after one effect
 * equals the state before the next, so only moments after which another process continues are counted. Prints their number
 * on stdout, and the effect at which it died.
 */
const [config = '', directory = '', stateDir = '', moment = '', which = ''] = process.argv.slice(2)
const setsGoing = new Set(['run', 'spawn', 'kill', 'request', 'bus-call'])
let count = 0

const onEffect: EffectListener = (effect, phase) => {
  if (which === 'distinct' && phase === 'after' && !setsGoing.has(effect.kind)) return
  count += 1
  if (count !== Number(moment)) return
  writeSync(1, `${phase} ${effect.kind} ${effect.target}\n`)
  process.kill(process.pid, 'SIGKILL')
}

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
writeSync(1, `${count}\n`)
if (failed.length > 0 || notReady.length > 0) {
  writeSync(2, JSON.stringify({ failed, notReady }))
  process.exitCode = 2
}
