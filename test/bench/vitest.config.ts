import { defineConfig, type ViteUserConfig } from 'vitest/config'

/** `npm run bench`: apart from the tests, since what it finds depends on the machine, and takes minutes. */
const config: ViteUserConfig = defineConfig({
  test: {
    name: 'bench',
    include: ['test/bench/*.bench.ts'],
    fileParallelism: false,
    testTimeout: 30 * 60_000,
    hookTimeout: 5 * 60_000,
    disableConsoleIntercept: true,
    // Not /tmp: where much was removed just now, ext4 takes a millisecond to make a file, and memory would take none.
    env: { TMPDIR: '/var/tmp' },
  },
})

export default config
