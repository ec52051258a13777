import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConformanceHarness, ConformanceSupervisor } from '../../src/conformance/index.ts'
import { openCliFixture } from '../labs/cli-fixture.ts'
import { declareMany, manifest, plainConfiguration } from './load-generator.ts'
import { findProcesses } from './process-use.ts'
import { reeve, timeRun } from './timed-run.ts'

/** Scanner of its own, and the contenders that start services under it. */
export interface Contest {
  readonly harness: ConformanceHarness
  /** Makes the scanner rescan, manually; absent: it does so by itself, every five seconds. */
  readonly announcement?: string
}

/** In milliseconds. */
export interface Round {
  /** From nothing until all run. */
  readonly running: number
  /** Part of it from the last link until the last one had a supervisor. */
  readonly scanner: number
  /** Until the command has returned. */
  readonly returned: number
  /** The same again; absent: not applicable. */
  readonly again: number | undefined
}

/** Interval in ms at which it is checked whether all processes run, and the timeout. */
const look = 50
const patience = 10 * 60_000

/** The least that can be done manually. */
export async function goByHand({ harness, announcement = ':' }: Contest, count: number): Promise<Round> {
  const seconds = secondsOf('by hand', count)
  const script = `i=0
while [ $i -lt ${count} ]; do
  mkdir sv/s$i
  printf '#!/bin/sh\\nexec sleep ${seconds}\\n' >sv/s$i/run
  chmod 755 sv/s$i/run
  ln -s ../sv/s$i service/s$i
  i=$((i + 1))
done
${announcement}
`
  return withScanner(harness, async (_supervisor, root) => {
    const command = { program: '/bin/sh', args: ['-c', script], directory: root }
    return timeField(root, count, seconds, async () => (await timeRun(command)).duration)
  })
}

export async function goByReeve({ harness }: Contest, count: number): Promise<Round> {
  const seconds = secondsOf('by Reeve', count)
  return withScanner(harness, async (supervisor, root) => {
    const fixture = openCliFixture()
    fixture.write('reeve.yaml', configurationFor(harness))
    fixture.write('manifests/supervisor.yaml', supervisorManifest(harness, supervisor))
    declareMany(fixture, count, name => manifest(name, `  process: { command: [sleep, "${seconds}"] }`))
    const apply = async (): Promise<number> => (await timeRun(reeve(fixture, 'apply'))).duration
    const round = await timeField(root, count, seconds, apply)
    const again = Math.min(await apply(), await apply())
    await fixture.succeed(['down', '--yes'])
    return { ...round, again }
  })
}

export function configurationFor({ provider }: ConformanceHarness): string {
  return `${plainConfiguration}defaultSupervisor: lab-${provider.type}\n`
}

export function supervisorManifest(
  { provider: { type } }: ConformanceHarness,
  { options }: ConformanceSupervisor,
): string {
  const metadata = { name: `lab-${type}` }
  return JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Supervisor', metadata, spec: { type, [type]: options } })
}

export async function withScanner<T>(
  harness: ConformanceHarness,
  body: (supervisor: ConformanceSupervisor, root: string) => Promise<T>,
): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), 'reeve-bench-scan-'))
  const supervisor = await harness.setUp(root)
  try {
    return await body(supervisor, root)
  } finally {
    await supervisor.tearDown()
    rmSync(root, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function timeField(root: string, count: number, seconds: string, act: () => Promise<number>): Promise<Round> {
  const began = performance.now()
  const running = untilAllRun(count, seconds, began)
  const returned = await act()
  const round = { running: await running, scanner: readScannerDelay(root), returned }
  return { ...round, again: undefined }
}

/** Measured by the times of directories: nothing has to be queried meanwhile. */
function readScannerDelay(root: string): number {
  const linked = statSync(join(root, 'service')).mtimeMs
  const definitions = join(root, 'sv')
  const supervised = readdirSync(definitions).map(name => statSync(join(definitions, name, 'supervise')).birthtimeMs)
  return Math.max(0, Math.max(...supervised) - linked)
}

async function untilAllRun(count: number, seconds: string, began: number): Promise<number> {
  for (;;) {
    const found = findProcesses(([program, argument]) => argument === seconds && program?.endsWith('sleep') === true)
    const duration = performance.now() - began
    if (found.length === count) return duration
    if (duration > patience) throw new Error(`expected ${count} processes, found ${found.length} after ${patience} ms`)
    await new Promise(resolve => setTimeout(resolve, look))
  }
}

/** Its own sleepers are identified by their duration. */
function secondsOf(who: string, count: number): string {
  return String(90_000_000 + process.pid * 10_000 + count + who.length)
}
