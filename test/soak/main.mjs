// `npm run soak -- MINUTES [SEED]`: the soak of the suites, longer. Default: ten minutes, and a random seed.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const [minutes = '10', seed] = process.argv.slice(2)
if (!(Number(minutes) > 0)) {
  console.error(`expected minutes, found ${minutes}: npm run soak -- MINUTES [SEED]`)
  process.exit(1)
}
const environment = {
  ...process.env,
  REEVE_SOAK_SECONDS: String(Number(minutes) * 60),
  ...(seed === undefined ? {} : { REEVE_SEED: seed }),
}
const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url))
const { status } = spawnSync(process.execPath, [vitest, 'run', 'test/scenario/soak.test.ts'], {
  cwd: root,
  env: environment,
  stdio: 'inherit',
})
for (const name of ['soak-actions', 'soak-end']) {
  const report = new URL(`../report/${name}.txt`, import.meta.url)
  if (existsSync(report)) console.log(`\n${readFileSync(report, 'utf8')}`)
}
process.exitCode = status ?? 1
