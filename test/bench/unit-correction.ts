import { execFile } from 'node:child_process'
import { readFileSync, watch, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { eventually } from '../../src/conformance/eventually.ts'
import { openCliFixture } from '../labs/cli-fixture.ts'
import { type Announcements, openAnnouncements } from './announcements.ts'
import { openBenchReport } from './bench-report.ts'
import { declareMany, manifest, plainConfiguration } from './load-generator.ts'
import { formatTime, spreadOf } from './spread.ts'

const COUNT = 100
const SAMPLES = 100

/** Pauses between two disturbances, in ms. Uneven, so that they don't coincide with periodic work. */
const LEAST_PAUSE = 100
const PAUSE_SPREAD = 200

const units = '/etc/systemd/system'
const run = promisify(execFile)

interface Disturbance {
  readonly what: string
  readonly aim: string
  /** Disturbs a service and returns the time (ms) until it was repaired. */
  measure(service: string, announcements: Announcements): Promise<number>
}

const disturbances: readonly Disturbance[] = [
  { what: 'systemctl restart, by hand: for comparison', aim: '', measure: restart },
  { what: 'systemctl stop, from when it returns → runs again', aim: 'p50 100 ms', measure: stop },
  { what: 'kill -9 → runs again, by systemd (RestartSec=1ms)', aim: 'p50 100 ms', measure: kill },
  { what: 'unit file edited → as it was', aim: 'p50 100 ms', measure: edit },
]

/** How long drift of services lasts under a controller. */
export async function measureCorrection(): Promise<void> {
  const fixture = openCliFixture()
  fixture.write('reeve.yaml', plainConfiguration)
  const announcements = openAnnouncements(fixture)
  const names = declareMany(fixture, COUNT, name => declaration(name, announcements))
  const controller = fixture.start(['run'])
  await eventually('all run', () => controller.stderr().includes(`all ${COUNT} facilities are as declared`), 120_000)

  const samples = new Map<Disturbance, number[]>(disturbances.map(disturbance => [disturbance, []]))
  for (let round = 1; round <= SAMPLES; round += 1) {
    for (const [order, disturbance] of disturbances.entries()) {
      // A different service each time: repeated steps are delayed (E11).
      const service = names[(round + order * 25) % names.length] ?? ''
      await sleep(LEAST_PAUSE + Math.random() * PAUSE_SPREAD)
      samples.get(disturbance)?.push(await disturbance.measure(service, announcements))
    }
  }
  const title = `A running controller with ${COUNT} services of systemd: until the new process has announced itself`
  const report = openBenchReport('systemd-correction', title, ['what happens', 'runs', 'best', 'p50', 'p99', 'aim'])
  for (const [{ what, aim }, found] of samples) {
    const { count, best, p50, p99 } = spreadOf(found)
    report.add(what, count, formatTime(best), formatTime(p50), formatTime(p99), aim)
  }
  report.print()
}

function declaration(name: string, announcements: Announcements): string {
  const command = JSON.stringify(announcements.command(name))
  return manifest(name, `  supervisor: systemd\n  process: { command: ${command}, restart: { delay: 1ms } }`)
}

async function restart(service: string, announcements: Announcements): Promise<number> {
  const again = announcements.next(service, announcements.pid(service))
  const began = performance.now()
  await run('systemctl', ['restart', service])
  return (await again) - began
}

async function stop(service: string, announcements: Announcements): Promise<number> {
  const again = announcements.next(service, announcements.pid(service))
  await run('systemctl', ['stop', service])
  const began = performance.now()
  return Math.max((await again) - began, 0)
}

async function kill(service: string, announcements: Announcements): Promise<number> {
  const pid = announcements.pid(service)
  const again = announcements.next(service, pid)
  const began = performance.now()
  process.kill(pid, 'SIGKILL')
  return (await again) - began
}

async function edit(service: string): Promise<number> {
  const path = `${units}/${service}.service`
  const declared = readFileSync(path, 'utf8')
  const restored = new Promise<number>(resolve => {
    const watcher = watch(units, () => {
      if (!isRestored(path, declared)) return
      watcher.close()
      resolve(performance.now())
    })
  })
  writeFileSync(path, declared.replace('Restart=always', 'Restart=on-failure'))
  const began = performance.now()
  return (await restored) - began
}

function isRestored(path: string, declared: string): boolean {
  return readFileSync(path, 'utf8') === declared
}
