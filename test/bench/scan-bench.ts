import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { createWriteHost } from '../../src/host/write-host.ts'
import { openCliFixture } from '../labs/cli-fixture.ts'
import { openAnnouncements } from './announcements.ts'
import { openBenchReport } from './bench-report.ts'
import { declareMany, manifest } from './load-generator.ts'
import {
  type Contest,
  configurationFor,
  goByHand,
  goByReeve,
  type Round,
  supervisorManifest,
  withScanner,
} from './scan-contest.ts'
import { formatTime, spreadOf } from './spread.ts'

const COUNTS = [100, 500]
const ROUNDS = 3

const FACILITIES = 100
const SAMPLES = 60

/** Pauses between two disturbances, in ms; uneven, so that they don't coincide with periodic work. */
const LEAST_PAUSE = 100
const PAUSE_SPREAD = 200

/** Measures a provider of scan directories; both results include the scanner's delay, which is also shown separately. */
export function benchScanDirectory(contest: Contest): void {
  const { type } = contest.harness.provider

  test(`${type}: services from nothing, and nothing to do`, async () => {
    const title = `Services of ${type} from nothing, by a shell script that does the least and by reeve apply`
    const report = openBenchReport(type, title, [
      'who',
      'services',
      'runs',
      'until all run, best',
      'p50',
      'of it waiting for the scanner, p50',
      'until it has returned, p50',
      'again, best (aim: 500 ms)',
      'p50',
    ])
    for (const count of COUNTS) {
      const rounds = new Map<string, Round[]>([
        ['shell', []],
        ['reeve', []],
      ])
      for (let round = 1; round <= ROUNDS; round += 1) {
        rounds.get('shell')?.push(await goByHand(contest, count))
        rounds.get('reeve')?.push(await goByReeve(contest, count))
      }
      for (const [who, found] of rounds) {
        const running = spreadOf(found.map(round => round.running))
        const again = found.flatMap(round => round.again ?? [])
        report.add(
          who,
          count,
          running.count,
          formatTime(running.best),
          formatTime(running.p50),
          formatTime(spreadOf(found.map(round => round.scanner)).p50),
          formatTime(spreadOf(found.map(round => round.returned)).p50),
          again.length > 0 ? formatTime(spreadOf(again).best) : '-',
          again.length > 0 ? formatTime(spreadOf(again).p50) : '-',
        )
      }
    }
    report.print()
  })

  test(`${type}: drift with a running controller`, async () => {
    await withScanner(contest.harness, async (supervisor, root) => {
      const fixture = openCliFixture()
      fixture.write('reeve.yaml', configurationFor(contest.harness))
      fixture.write('manifests/supervisor.yaml', supervisorManifest(contest.harness, supervisor))
      const announcements = openAnnouncements(fixture)
      const names = declareMany(fixture, FACILITIES, name =>
        manifest(name, `  process: { command: ${JSON.stringify(announcements.command(name))} }`),
      )
      const controller = fixture.start(['run'])
      await eventually(
        'all are as declared',
        () => controller.stderr().includes(`all ${FACILITIES} facilities are as declared`),
        300_000,
      )
      const samples: number[] = []
      for (let round = 0; round < SAMPLES; round += 1) {
        const service = names[round % names.length] ?? ''
        await sleep(LEAST_PAUSE + Math.random() * PAUSE_SPREAD)
        const again = announcements.next(service, announcements.pid(service))
        const began = performance.now()
        createWriteHost().writePipe(join(root, 'sv', service, 'supervise/control'), 'd')
        samples.push((await again) - began)
      }
      controller.child.kill('SIGTERM')
      await controller.ended
      await fixture.succeed(['down', '--yes'])
      const title = `A running controller with ${type} and ${FACILITIES} facilities: stopped by hand, until it has announced itself again`
      const report = openBenchReport(`${type}-correction`, title, ['runs', 'best', 'p50', 'p99', 'aim'])
      const { count, best, p50, p99 } = spreadOf(samples)
      report.add(count, formatTime(best), formatTime(p50), formatTime(p99), 'p50 100 ms')
      report.print()
    })
  })
}
