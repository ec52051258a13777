import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'vitest'
import { openBenchReport } from './bench-report.ts'
import type { Contender } from './contender.ts'
import { pm2Contender } from './pm2-contender.ts'
import { findProcesses, readMemory } from './process-use.ts'
import { reeveContender } from './reeve-contender.ts'
import { formatMemory, formatTime, spreadOf } from './spread.ts'
import { supervisordContender } from './supervisord-contender.ts'

const RUNS = 5
const COUNT = 100

/**
 * Pause in ms before each measurement: ext4 reuses inodes only 5 s after the removal of their files, and is slow in
 * searching for others.
 */
const REST = 6_000

/** Interval in ms at which it is checked whether all processes run: the checks cost all contenders alike. */
const LOOK = 10

interface Samples {
  readonly running: number[]
  readonly returned: number[]
  readonly again: number[]
  readonly memory: number[]
}

test('apply of a hundred processes', async () => {
  const report = openBenchReport('apply', `${COUNT} × sleep, the start of the daemon included. Aim: faster than pm2`, [
    'who',
    'commands',
    'runs',
    'from nothing until all run, best',
    'p50',
    'until it has returned, best',
    'p50',
    'again, best',
    'p50',
    'own memory (PSS), p50',
  ])
  const contenders = new Map<Contender, Samples>()
  for (const contender of [reeveContender, pm2Contender, supervisordContender]) {
    const lack = await contender.prepare()
    if (lack === undefined) contenders.set(contender, { running: [], returned: [], again: [], memory: [] })
    else console.warn(`${contender.name} was left out: ${lack}`)
  }
  // In turn, so that other load on the machine affects all of them alike.
  for (let round = 1; round <= RUNS; round += 1) {
    for (const [contender, samples] of contenders) await compete(contender, samples, round)
  }
  for (const [{ name, commands }, { running, returned, again, memory }] of contenders) {
    const [up, back, once] = [spreadOf(running), spreadOf(returned), spreadOf(again)]
    report.add(
      name,
      commands,
      up.count,
      formatTime(up.best),
      formatTime(up.p50),
      formatTime(back.best),
      formatTime(back.p50),
      formatTime(once.best),
      formatTime(once.p50),
      formatMemory(spreadOf(memory).p50),
    )
  }
  report.print()
})

async function compete(contender: Contender, samples: Samples, round: number): Promise<void> {
  // Its own sleepers are identified by their duration.
  const seconds = String(80_000 + process.pid + round)
  const field = await contender.open(COUNT, seconds)
  await sleep(REST)
  try {
    const began = performance.now()
    const running = timeUntilAllRun(seconds, began)
    samples.returned.push(await field.bringUp())
    samples.running.push(await running)
    samples.again.push(await field.again())
    samples.memory.push(readMemory(field.own()).proportional)
  } finally {
    await field.takeDown()
  }
}

async function timeUntilAllRun(seconds: string, began: number): Promise<number> {
  for (;;) {
    const running = findProcesses(([program, argument]) => argument === seconds && program?.endsWith('sleep') === true)
    const duration = performance.now() - began
    if (running.length === COUNT) return duration
    if (duration > 60_000) throw new Error(`expected ${COUNT} processes, found ${running.length} after a minute`)
    await sleep(LOOK)
  }
}
