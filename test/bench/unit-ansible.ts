import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { has, install } from '../runner/requirements.ts'
import { timeRun } from './timed-run.ts'
import { changed, type UnitContender, unitText, usual } from './unit-contender.ts'

export const ansible: UnitContender = {
  name: 'ansible-core 2.14',
  commands: 'ansible-playbook',
  prepare() {
    if (!has('ansible-playbook')) install(['ansible-core'])
    return has('ansible-playbook') ? undefined : 'the package ansible-core could not be installed'
  },
  open(names) {
    const directory = mkdtempSync(join(tmpdir(), 'reeve-bench-ansible-'))
    mkdirSync(join(directory, 'units'))
    const write = (name: string, seconds: number): void =>
      writeFileSync(join(directory, 'units', `${name}.service`), unitText(name, seconds))
    for (const name of names) write(name, usual)
    const run = async (tasks: readonly object[]): Promise<number> => {
      const file = join(directory, 'playbook.json')
      writeFileSync(file, JSON.stringify([{ hosts: 'localhost', connection: 'local', gather_facts: false, tasks }]))
      return (await timeRun({ program: 'ansible-playbook', args: [file], directory })).duration
    }
    const each = (task: object): object => ({ ...task, loop: names })
    const destination = '/etc/systemd/system/{{ item }}.service'
    const present = [
      each({ copy: { src: `${directory}/units/{{ item }}.service`, dest: destination }, register: 'written' }),
      { systemd: { daemon_reload: true }, when: 'written.changed' },
      each({ systemd: { name: '{{ item }}', enabled: true, state: 'started' } }),
      {
        systemd: { name: '{{ item.item }}', state: 'restarted' },
        loop: '{{ written.results | selectattr("changed") | list }}',
        when: 'not first',
      },
    ]
    const all = (first: boolean): Promise<number> => run([{ set_fact: { first } }, ...present])
    return {
      bringUp: () => all(true),
      again: () => all(false),
      change(name) {
        write(name, changed)
        return all(false)
      },
      takeDown: () =>
        run([
          each({ systemd: { name: '{{ item }}', enabled: false, state: 'stopped' } }),
          each({ file: { path: destination, state: 'absent' } }),
          { systemd: { daemon_reload: true } },
        ]),
    }
  },
}
