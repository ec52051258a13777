import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { has, install } from '../runner/requirements.ts'
import { timeRun } from './timed-run.ts'
import { changed, type UnitContender, unitText, usual } from './unit-contender.ts'

export const puppet: UnitContender = {
  name: 'puppet 7',
  commands: 'apply',
  prepare() {
    if (!has('puppet')) install(['puppet'])
    return has('puppet') ? undefined : 'the package puppet could not be installed'
  },
  open(names) {
    const directory = mkdtempSync(join(tmpdir(), 'reeve-bench-puppet-'))
    const file = join(directory, 'site.pp')
    const run = async (make: (name: string) => string): Promise<number> => {
      writeFileSync(file, names.map(make).join('\n'))
      return (await timeRun({ program: 'puppet', args: ['apply', file], directory })).duration
    }
    const all = (): Promise<number> => run(name => present(name, usual))
    return {
      bringUp: all,
      again: all,
      change: chosen => run(name => present(name, name === chosen ? changed : usual)),
      takeDown: () => run(absent),
    }
  },
}

function present(name: string, seconds: number): string {
  return `file { '/etc/systemd/system/${name}.service': content => '${unitText(name, seconds)}' }
~> service { '${name}': ensure => running, enable => true, provider => systemd }`
}

function absent(name: string): string {
  return `service { '${name}': ensure => stopped, enable => false, provider => systemd }
-> file { '/etc/systemd/system/${name}.service': ensure => absent }`
}
