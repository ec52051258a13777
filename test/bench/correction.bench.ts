import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { type CliFixture, openCliFixture } from '../labs/cli-fixture.ts'
import { type Announcements, openAnnouncements } from './announcements.ts'
import { openBenchReport } from './bench-report.ts'
import { declareMany, manifest, plainConfiguration } from './load-generator.ts'
import { formatTime, spreadOf } from './spread.ts'

const COUNT = 100
const SAMPLES = 100

/** Pauses between two disturbances, in ms. Uneven, so that they don't coincide with periodic work. */
const LEAST_PAUSE = 100
const PAUSE_SPREAD = 200

interface Stage {
  readonly fixture: CliFixture
  readonly announcements: Announcements
}

interface Disturbance {
  readonly what: string
  readonly aim: string
  /** Disturbs a service and returns the time (ms). */
  disturb(stage: Stage, service: string, round: number): Promise<number>
}

const disturbances: readonly Disturbance[] = [
  { what: 'service killed (SIGKILL) → runs again, by its supervisor', aim: 'p50 100 ms', disturb: kill },
  { what: 'service stopped on the host → runs again', aim: 'p50 100 ms', disturb: stopBehindTheBack },
  { what: 'manifest edited → service replaced', aim: 'p50 250 ms', disturb: edit },
]

test('drift and edits with a running controller', async () => {
  const fixture = openCliFixture()
  fixture.write('reeve.yaml', plainConfiguration)
  const announcements = openAnnouncements(fixture)
  const stage = { fixture, announcements }
  const names = declareMany(fixture, COUNT, name => declaration(stage, name, 0))
  const controller = fixture.start(['run'])
  await eventually('all are as declared', () => controller.stderr().includes(`all ${COUNT} facilities are as declared`))

  const samples = new Map<Disturbance, number[]>(disturbances.map(disturbance => [disturbance, []]))
  for (let round = 1; round <= SAMPLES; round += 1) {
    for (const [order, disturbance] of disturbances.entries()) {
      // A different service each time: repeated steps are delayed (E11).
      const service = names[(round + order * 33) % names.length] ?? ''
      await sleep(LEAST_PAUSE + Math.random() * PAUSE_SPREAD)
      const before = announcements.pid(service)
      const again = announcements.next(service, before)
      const began = await disturbance.disturb(stage, service, round)
      samples.get(disturbance)?.push((await again) - began)
    }
  }
  const title = `A running controller with ${COUNT} facilities: until the new process has announced itself`
  const report = openBenchReport('correction', title, ['what happens', 'runs', 'best', 'p50', 'p99', 'aim'])
  for (const [{ what, aim }, found] of samples) {
    const { count, best, p50, p99 } = spreadOf(found)
    report.add(what, count, formatTime(best), formatTime(p50), formatTime(p99), aim)
  }
  report.print()
})

function declaration({ announcements }: Pick<Stage, 'announcements'>, name: string, revision: number): string {
  const command = JSON.stringify(announcements.command(name))
  return manifest(name, `  process:\n    command: ${command}\n    environment: { REVISION: "${revision}" }`)
}

async function kill({ announcements }: Stage, service: string): Promise<number> {
  const began = performance.now()
  process.kill(announcements.pid(service), 'SIGKILL')
  return began
}

/** Stops it through the supervisor, without Reeve. */
async function stopBehindTheBack({ fixture }: Stage, service: string): Promise<number> {
  const began = performance.now()
  const socket = connect(fixture.path('state', 'process', 'supervisor.sock'))
  socket.end(`${JSON.stringify({ actions: [{ id: 'stop', verb: 'stop', service }] })}\n`)
  await new Promise((resolve, reject) => socket.once('close', resolve).once('error', reject).resume())
  return began
}

async function edit({ fixture, announcements }: Stage, service: string, revision: number): Promise<number> {
  const text = declaration({ announcements }, service, revision)
  // As an editor and git do it: written beside, then moved into place.
  fixture.write(`manifests/.${service}`, text)
  const began = performance.now()
  fixture.rename(`manifests/.${service}`, `manifests/${service}.yaml`)
  return began
}
