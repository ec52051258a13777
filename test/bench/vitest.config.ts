import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { createMachinePool } from '../systemd-lab/pool.ts'

const base = {
  testTimeout: 60 * 60_000,
  hookTimeout: 5 * 60_000,
  disableConsoleIntercept: true,
  // Not /tmp: after many removals, ext4 takes a millisecond to create a file, and a memory file system would take none.
  env: { TMPDIR: '/var/tmp' },
} as const

const onSystemd = 'test/bench/systemd*.bench.ts'

/** `npm run bench`: separate from the tests, since the results depend on the machine, and take minutes. */
const config: ViteUserConfig = defineConfig({
  test: {
    fileParallelism: false,
    projects: [
      {
        test: { ...base, name: 'bench', include: ['test/bench/*.bench.ts'], exclude: [onSystemd], maxWorkers: 1 },
      },
      {
        test: {
          ...base,
          name: 'bench-systemd',
          include: [onSystemd],
          globalSetup: ['test/systemd-lab/setup.ts'],
          pool: createMachinePool('systemd'),
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})

export default config
