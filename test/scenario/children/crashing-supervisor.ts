import { existsSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { runDaemon } from '../../../providers/process/supervisor/daemon.ts'
import type { Log } from '../../../src/core/contracts/log.ts'
import type { EffectListener } from '../../../src/host/effects.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'

/**
 * The built-in supervisor, which kills itself at one of its effects: `PLAN DIRECTORY`. PLAN is a file with the number of the
 * moment (two per effect, before and after it). Moments are counted while it exists; it is removed when the moment has come,
 * so that the next supervisor survives. `0` only counts, into PLAN.count. With a PLAN of `deaf` the supervisor gets no
 * events from the kernel.
 */
const [plan = '', directory = ''] = process.argv.slice(2)
const moment = existsSync(plan) ? Number(readFileSync(plan, 'utf8')) : -1
let count = 0

const onEffect: EffectListener = (effect, phase) => {
  if (moment === -1) return
  count += 1
  if (moment === 0) writeFileSync(`${plan}.count`, String(count))
  if (count !== moment) return
  unlinkSync(plan)
  writeFileSync(`${plan}.killed`, `${phase} ${effect.kind} ${effect.target}`)
  process.kill(process.pid, 'SIGKILL')
}

const log: Log = { debug() {}, info() {}, warn() {}, error: (fields, message) => console.error(message, fields) }
process.umask(0o077)
const never = new AbortController().signal
try {
  const host = createWriteHost({ onEffect })
  const watch = () => ({ [Symbol.dispose]() {} })
  await runDaemon(directory, plan === 'deaf' ? { ...host, watch } : host, log, never)
} catch (error) {
  console.error(error)
  process.exitCode = 1
}
