import { defineConfig, type ViteUserConfig } from 'vitest/config'

const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts', 'test/property/**/*.test.ts'] } },
      {
        test: {
          name: 'system',
          include: ['test/{conformance,scenario,e2e}/**/*.test.ts'],
          globalSetup: ['test/requirements.ts'],
          expect: { poll: { timeout: 20_000 } },
          // Real processes on a shared machine: in CI a failure counts when it happens twice. The report shows each retry.
          retry: process.env.CI === 'true' ? 1 : 0,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})

export default config
