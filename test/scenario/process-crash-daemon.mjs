// The built-in supervisor, which kills itself at one of its effects: `node process-crash-daemon.mjs PLAN DIRECTORY`.
// PLAN is a file with the number of the moment (two for each effect, before and after it). While it is there, moments
// are counted; it goes when the moment has come, so that the next supervisor lives. `0` counts only, into PLAN.count.
// A PLAN of `deaf` is a supervisor that gets no events from the kernel.
import { existsSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'

const root = new URL('../../dist/', import.meta.url)
const { runDaemon } = await import(new URL('providers/process/supervisor/daemon.js', root))
const { createWriteHost } = await import(new URL('src/host/write-host.js', root))

const [plan, directory] = process.argv.slice(2)
const moment = existsSync(plan) ? Number(readFileSync(plan, 'utf8')) : -1
let count = 0

function onEffect(effect, phase) {
  if (moment === -1) return
  count += 1
  if (moment === 0) writeFileSync(`${plan}.count`, String(count))
  if (count !== moment) return
  unlinkSync(plan)
  writeFileSync(`${plan}.killed`, `${phase} ${effect.kind} ${effect.target}`)
  process.kill(process.pid, 'SIGKILL')
}

const log = { debug() {}, info() {}, warn() {}, error: (fields, message) => console.error(message, fields) }
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
