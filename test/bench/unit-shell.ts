import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { timeRun } from './timed-run.ts'
import { changed, type UnitContender, unitText, usual } from './unit-contender.ts'

/** The minimum: it checks nothing, and waits only for systemd's own jobs. */
export const shellBatch: UnitContender = {
  name: 'shell',
  commands: 'cat >…; daemon-reload; enable --now',
  prepare: () => undefined,
  open(names) {
    const directory = mkdtempSync(join(tmpdir(), 'reeve-bench-shell-'))
    const list = join(directory, 'names')
    writeFileSync(list, `${names.join('\n')}\n`)
    const run = async (script: string, ...args: readonly string[]): Promise<number> => {
      const whole = `set -eu; cd /etc/systemd/system; names=$(cat ${list})\n${script}`
      return (await timeRun({ program: '/bin/sh', args: ['-c', whole, 'batch', ...args], directory })).duration
    }
    const write = (name: string, seconds: number): string =>
      `cat >"${name}.service" <<END\n${unitText(name, seconds)}END\n`
    const all = `for name in $names; do\n${write('$name', usual)}done\nsystemctl daemon-reload; systemctl enable --now $names`
    return {
      bringUp: () => run(all),
      again: () => run(all),
      change: name => run(`${write('$1', changed)}systemctl daemon-reload; systemctl restart "$1"`, name),
      takeDown: () =>
        run('systemctl disable --now $names; for name in $names; do rm "$name.service"; done; systemctl daemon-reload'),
    }
  },
}
