import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { has, install } from '../runner/requirements.ts'
import type { Contender } from './contender.ts'
import { timeRun } from './timed-run.ts'

export const supervisordContender: Contender = {
  name: 'supervisord',
  commands: 'supervisord, start all; update',
  async prepare() {
    if (!has('supervisord') && process.geteuid?.() === 0 && has('apt-get')) install(['supervisor'])
    return has('supervisord') ? undefined : 'it is not here, and only root can install the package supervisor'
  },
  async open(count, seconds) {
    const directory = mkdtempSync(join(tmpdir(), 'reeve-bench-supervisord-'))
    const file = join(directory, 'supervisord.conf')
    writeFileSync(file, configurationOf(directory, count, seconds))
    const run = async (program: string, ...args: readonly string[]): Promise<number> =>
      (await timeRun({ program, args: ['-c', file, ...args], directory })).duration
    return {
      bringUp: async () => (await run('supervisord')) + (await run('supervisorctl', 'start', 'all')),
      again: () => run('supervisorctl', 'update'),
      own: () => [Number(readFileSync(join(directory, 'pid'), 'utf8'))],
      async takeDown() {
        await run('supervisorctl', 'shutdown')
        rmSync(directory, { recursive: true, force: true })
      },
    }
  },
}

function configurationOf(directory: string, count: number, seconds: string): string {
  const programs = Array.from(
    { length: count },
    (_, index) => `[program:s${index}]\ncommand=/bin/sleep ${seconds}\nautostart=false\n`,
  )
  return `[supervisord]
directory=${directory}
childlogdir=${directory}
logfile=${directory}/log
pidfile=${directory}/pid
minfds=1024
user=${process.geteuid?.() === 0 ? 'root' : ''}
[unix_http_server]
file=${directory}/socket
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://${directory}/socket
${programs.join('')}`
}
