import { openHousehold } from '../e2e/household.ts'
import { declareCrowd, manifest, plainConfiguration } from './crowd.ts'
import { reeve, timeRun } from './timed-run.ts'
import { changed, type UnitContender, usual } from './unit-contender.ts'

export const reeveOnSystemd: UnitContender = {
  name: 'reeve',
  commands: 'apply; down',
  prepare: () => undefined,
  open(names) {
    const household = openHousehold()
    household.write('reeve.yaml', plainConfiguration)
    declareCrowd(household, names.length, name => sleepingUnit(name, usual))
    const run = async (...args: readonly string[]): Promise<number> =>
      (await timeRun(reeve(household, ...args))).duration
    return {
      bringUp: () => run('apply'),
      again: () => run('apply'),
      plan: () => run('plan'),
      change(name) {
        household.write(`manifests/${name}.yaml`, sleepingUnit(name, changed))
        return run('apply')
      },
      takeDown: () => run('down', '--yes'),
    }
  },
}

export function sleepingUnit(name: string, seconds: number): string {
  return manifest(name, `  supervisor: systemd\n  process: { command: [/bin/sleep, "${seconds}"] }`)
}
