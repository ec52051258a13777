import { openCliFixture } from '../labs/cli-fixture.ts'
import type { Contender } from './contender.ts'
import { declareMany, findSupervision, manifest, plainConfiguration } from './load-generator.ts'
import { reeve, timeRun } from './timed-run.ts'

export const reeveContender: Contender = {
  name: 'reeve',
  commands: 'apply; apply',
  prepare: async () => undefined,
  async open(count, seconds) {
    const fixture = openCliFixture()
    fixture.write('reeve.yaml', plainConfiguration)
    declareMany(fixture, count, name => manifest(name, `  process: { command: [sleep, "${seconds}"] }`))
    const apply = async (): Promise<number> => (await timeRun(reeve(fixture, 'apply'))).duration
    return {
      bringUp: apply,
      again: apply,
      own() {
        const { daemon, shims } = findSupervision(fixture)
        return [daemon, ...shims]
      },
      async takeDown() {
        await fixture.succeed(['down', '--yes'])
      },
    }
  },
}
