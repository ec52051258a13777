import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Contender } from './contender.ts'
import { type Command, timeRun } from './timed-run.ts'

const { XDG_CACHE_HOME = join(homedir(), '.cache') } = process.env
/** Outside of the checkout: contenders are no dependencies. */
const cache = join(XDG_CACHE_HOME, 'reeve-bench')
const program = join(cache, 'node_modules', 'pm2', 'bin', 'pm2')

export const pm2Contender: Contender = {
  name: 'pm2 7',
  commands: 'start FILE; start FILE',
  async prepare() {
    if (existsSync(program)) return undefined
    mkdirSync(cache, { recursive: true })
    const install = ['install', '--prefix', cache, '--no-audit', '--no-fund', 'pm2@7']
    try {
      // The tester's environment decides on registries and proxies.
      await timeRun({ program: 'npm', args: install, directory: cache, env: definedOf(process.env) })
    } catch (error) {
      return `npm could not install it: ${error instanceof Error ? error.message : String(error)}`
    }
    return undefined
  },
  async open(count, seconds) {
    const directory = mkdtempSync(join(tmpdir(), 'reeve-bench-pm2-'))
    const file = join(directory, 'ecosystem.config.cjs')
    const apps = Array.from({ length: count }, (_, index) => ({
      name: `s${index}`,
      script: '/bin/sleep',
      args: seconds,
      interpreter: 'none',
    }))
    writeFileSync(file, `module.exports = ${JSON.stringify({ apps })}\n`)
    const pm2 = (...args: readonly string[]): Command => ({
      program: process.execPath,
      args: [program, ...args],
      directory,
      env: { PM2_HOME: join(directory, 'home'), PM2_DISABLE_VERSION_CHECK: 'true' },
    })
    const start = async (): Promise<number> => (await timeRun(pm2('start', file))).duration
    return {
      bringUp: start,
      again: start,
      own: () => [Number(readFileSync(join(directory, 'home', 'pm2.pid'), 'utf8'))],
      async takeDown() {
        await timeRun(pm2('kill'))
        rmSync(directory, { recursive: true, force: true })
      },
    }
  },
}

function definedOf(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}
