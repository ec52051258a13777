import { defineConfig, type ViteUserConfig } from 'vitest/config'

/** For Stryker: the fast tests of mutated code, in one process, up to the first failure. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/unit/{core,engine}/**/*.test.ts', 'test/property/planning.test.ts'],
    isolate: false,
    bail: 1,
    env: { REEVE_PROPERTY_RUNS: '20', REEVE_SAMPLE: 'all' },
  },
})

export default config
