// `node --import memory-hook.mjs PROGRAM`: at its end, writes its peak memory, in bytes, to REEVE_BENCH_PEAK. Not
// `resourceUsage().maxRSS`: that includes the process it was forked from.
import { readFileSync, writeFileSync } from 'node:fs'

process.on('exit', () => {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  writeFileSync(process.env.REEVE_BENCH_PEAK, String(Number(kilobytes) * 1_024))
})
