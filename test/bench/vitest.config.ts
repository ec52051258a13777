import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { systemdPool } from '../systemd-lab/pool.ts'

const base = {
  testTimeout: 60 * 60_000,
  hookTimeout: 5 * 60_000,
  disableConsoleIntercept: true,
  // Not /tmp: where much was removed just now, ext4 takes a millisecond to make a file, and memory would take none.
  env: { TMPDIR: '/var/tmp' },
} as const

const onSystemd = 'test/bench/systemd*.bench.ts'

/** `npm run bench`: apart from the tests, since what it finds depends on the machine, and takes minutes. */
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
          pool: systemdPool,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})

export default config
