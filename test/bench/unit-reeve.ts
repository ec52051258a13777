import { openCliFixture } from '../labs/cli-fixture.ts'
import { declareMany, manifest, plainConfiguration } from './load-generator.ts'
import { reeve, timeRun } from './timed-run.ts'
import { changed, type UnitContender, usual } from './unit-contender.ts'

export const reeveOnSystemd: UnitContender = {
  name: 'reeve',
  commands: 'apply; down',
  prepare: () => undefined,
  open(names) {
    const fixture = openCliFixture()
    fixture.write('reeve.yaml', plainConfiguration)
    declareMany(fixture, names.length, name => sleepingUnit(name, usual))
    const run = async (...args: readonly string[]): Promise<number> => (await timeRun(reeve(fixture, ...args))).duration
    return {
      bringUp: () => run('apply'),
      again: () => run('apply'),
      plan: () => run('plan'),
      change(name) {
        fixture.write(`manifests/${name}.yaml`, sleepingUnit(name, changed))
        return run('apply')
      },
      takeDown: () => run('down', '--yes'),
    }
  },
}

export function sleepingUnit(name: string, seconds: number): string {
  return manifest(name, `  supervisor: systemd\n  process: { command: [/bin/sleep, "${seconds}"] }`)
}
