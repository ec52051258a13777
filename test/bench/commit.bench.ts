import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { eventually } from '../../src/conformance/eventually.ts'
import type { RunningController, Spec } from '../labs/engine-lab.ts'
import { createGitLab, noSignal } from '../labs/git-lab.ts'
import { createRolloutLab, type RolloutLab } from '../labs/rollout-lab.ts'
import { openBenchReport } from './bench-report.ts'
import { formatTime, spreadOf } from './spread.ts'

const service = (number: number, more: Spec = {}): Spec => ({
  process: { command: ['/bin/sleep', `${1_000_000 + number}`] },
  readySeconds: 0,
  ...more,
})

function facilities(count: number, specOf: (index: number) => Spec): Record<string, Spec> {
  const names = Array.from({ length: count }, (_, index) => `s${String(index).padStart(4, '0')}`)
  return Object.fromEntries(names.map((name, index) => [name, specOf(index)]))
}

/** Time in ms from the push of the change to the end of its roll-out. */
async function measureCommit(lab: RolloutLab, controller: RunningController, change: () => void): Promise<number> {
  change()
  lab.git.git('add', '--all')
  lab.git.git('commit', '--quiet', '--message', 'Change')
  const commit = lab.git.git('rev-parse', 'HEAD')
  const began = performance.now()
  lab.git.git('push', '--quiet', 'origin', 'HEAD:refs/heads/main')
  await controller.control.sync()
  await eventually('the revision to be healthy', () =>
    controller.log.some(({ fields, message }) => fields.commit === commit && message.includes('is healthy')),
  )
  return performance.now() - began
}

test('a commit, from its push to healthy services', async () => {
  const report = openBenchReport('commit', 'A commit, from its push to healthy services', [
    'COMMIT',
    'RUNS',
    'BEST',
    'P50',
    'P99',
  ])
  for (const [count, what, runs, change] of [
    [100, '1 of 100 facilities changes', 20, 1],
    [1_000, 'all 1,000 labels change', 5, 1_000],
  ] as const) {
    await using lab = createRolloutLab({ minHealthyTime: '0s' })
    const first = lab.declare(facilities(count, () => service(0)))
    const controller = await lab.run()
    await lab.outcome(controller, first, 'Healthy')
    const times: number[] = []
    for (let run = 1; run <= runs; run += 1) {
      const write = (name: string, spec: Spec, labels: object): void => {
        const document = { apiVersion: 'reeve/v1', kind: 'Facility', metadata: { name, labels }, spec }
        writeFileSync(join(lab.git.directory, 'work', `${name}.yaml`), stringify(document))
      }
      times.push(
        await measureCommit(lab, controller, () => {
          if (change === 1) write('s0000', service(run), {})
          else for (const name of Object.keys(facilities(count, () => ({})))) write(name, service(0), { run: `${run}` })
        }),
      )
    }
    const { best, p50, p99 } = spreadOf(times)
    report.add(what, runs, formatTime(best), formatTime(p50), formatTime(p99))
  }
  report.print()
})

test('a poll with nothing new', async () => {
  using lab = createGitLab()
  lab.commit({ 'web.yaml': 'x\n' })
  const source = lab.open()
  await source.sync(noSignal)
  const report = openBenchReport('poll', 'A poll with nothing new', ['POLLS', 'PROCESSOR TIME OF EACH'])
  const polls = 50
  const before = process.cpuUsage()
  for (let poll = 0; poll < polls; poll += 1) await source.sync(noSignal)
  const { user, system } = process.cpuUsage(before)
  report.add(polls, formatTime((user + system) / 1_000 / polls))
  report.print()
})

test('the first revision of a large repository', async () => {
  using lab = createGitLab()
  const megabytes = 500
  const directory = join(lab.directory, 'work', 'unrelated')
  mkdirSync(directory)
  for (let file = 0; file < megabytes; file += 1) {
    writeFileSync(
      join(directory, `${file}.bin`),
      execFileSync('head', ['-c', `${1024 * 1024}`, '/dev/urandom'], { maxBuffer: 1 << 22 }),
    )
  }
  lab.commit({ 'hosts/web.yaml': 'x\n' })
  const commits = 20_000
  const stream = Array.from({ length: commits }, (_, index) => {
    const from = index === 0 ? `from ${lab.git('rev-parse', 'HEAD')}\n` : ''
    return `commit refs/heads/main\ncommitter Ada <ada@example.org> ${1_700_000_000 + index} +0000\ndata 1\n.\n${from}\n`
  }).join('')
  execFileSync('git', ['--git-dir', lab.upstream, 'fast-import', '--quiet', '--force'], {
    input: stream,
    maxBuffer: 1 << 26,
  })
  const report = openBenchReport(
    'large-repository',
    'The first revision of a repository with 20,000 commits and 500 MiB',
    ['WHAT', 'TIME'],
  )
  const clone = mkdtempSync(join(tmpdir(), 'reeve-clone-'))
  try {
    const began = performance.now()
    execFileSync('git', [
      'clone',
      '--quiet',
      '--filter=blob:none',
      '--no-checkout',
      `file://${lab.upstream}`,
      join(clone, 'x'),
    ])
    const cloned = performance.now() - began
    const source = lab.open({ path: 'hosts' })
    const start = performance.now()
    await source.sync(noSignal)
    const synced = performance.now() - start
    report.add('git clone --filter=blob:none --no-checkout', formatTime(cloned))
    report.add('Reeve: fetched, exported, in force', formatTime(synced))
    report.print()
    expect(source.status().condition.reason).toBe('UpToDate')
    expect(synced).toBeLessThan(2 * cloned)
  } finally {
    rmSync(clone, { recursive: true })
  }
})
