import { join } from 'node:path'
import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { FailureReport } from './test/runner/failure-report.ts'
import { LongestFirst } from './test/runner/longest-first.ts'
import { createMachinePool } from './test/systemd-lab/pool.ts'

/** As an outside provider finds them in `dist`. */
const alias = {
  'reeve/conformance': join(import.meta.dirname, 'src/conformance/index.ts'),
  reeve: join(import.meta.dirname, 'src/index.ts'),
}

const config: ViteUserConfig = defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ['default', new FailureReport()],
    // What was compiled is kept in node_modules: half of what a small run costs.
    experimental: { fsModuleCache: true },
    projects: [
      {
        resolve: { alias },
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/property/**/*.test.ts'],
          // There is no module-level state to be kept apart, and a process per file would double the time.
          isolate: false,
          maxWorkers: 2,
          globalSetup: ['test/runner/report.ts'],
          // Of a property's many runs, on a busy machine.
          testTimeout: 60_000,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'system',
          include: ['test/{conformance,scenario,e2e}/**/*.test.ts'],
          globalSetup: ['test/runner/report.ts', 'test/runner/requirements.ts'],
          expect: { poll: { timeout: 20_000 } },
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 4,
          // As above.
          isolate: false,
          // Most of the time is spent on waiting for scanners, which look every five seconds.
          maxConcurrency: 12,
          // Real supervisors on a shared machine: in CI a failure counts when it happens twice. The report shows each retry.
          retry: process.env.CI === 'true' ? 1 : 0,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'systemd',
          include: ['test/systemd/**/*.test.ts'],
          globalSetup: ['test/runner/requirements.ts'],
          pool: createMachinePool('systemd'),
          expect: { poll: { timeout: 20_000 } },
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 4,
          retry: process.env.CI === 'true' ? 1 : 0,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'openrc',
          include: ['test/openrc/**/*.test.ts'],
          globalSetup: ['test/runner/requirements.ts'],
          pool: createMachinePool('openrc'),
          expect: { poll: { timeout: 20_000 } },
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          retry: process.env.CI === 'true' ? 1 : 0,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})

export default config
