import { openHousehold } from '../e2e/household.ts'
import type { Contender } from './contender.ts'
import { declareCrowd, findSupervision, manifest, plainConfiguration } from './crowd.ts'
import { reeve, timeRun } from './timed-run.ts'

export const reeveContender: Contender = {
  name: 'reeve',
  commands: 'apply; apply',
  prepare: async () => undefined,
  async open(count, seconds) {
    const household = openHousehold()
    household.write('reeve.yaml', plainConfiguration)
    declareCrowd(household, count, name => manifest(name, `  process: { command: [sleep, "${seconds}"] }`))
    const apply = async (): Promise<number> => (await timeRun(reeve(household, 'apply'))).duration
    return {
      bringUp: apply,
      again: apply,
      own() {
        const { daemon, shims } = findSupervision(household)
        return [daemon, ...shims]
      },
      async takeDown() {
        await household.succeed(['down', '--yes'])
      },
    }
  },
}
