import { expect, test } from 'vitest'
import { processProvider } from '../../../../providers/process/index.ts'
import { silentLog } from '../../../../src/core/contracts/log.ts'
import { createAppliers } from '../../../../src/engine/execution/appliers.ts'
import { createWriteHost } from '../../../../src/host/write-host.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'
import { withApplier } from '../../../tools/opened-provider.ts'

/** Appliers that note in `life` when they are opened and disposed of. */
function openBench() {
  const life: string[] = []
  const provider = withApplier(processProvider, (_, { options }) => {
    life.push(`open ${options.directory}`)
    return { [Symbol.dispose]: () => void life.push(`end ${options.directory}`) }
  })
  const appliers = createAppliers({
    clock: createManualClock(),
    log: silentLog,
    openWriteHost: () => createWriteHost(),
  })
  const use = (directory: string, act: () => Promise<void> = async () => {}): Promise<void> => {
    const instance = { name: 'lab', type: 'process', options: { directory }, stateDirectory: '/state', owner: 'test' }
    return appliers.use('lab', { instance, provider }, act)
  }
  return { life, appliers, use }
}

test('an instance is opened for its first action, and kept for the next ones until the end', async () => {
  const { life, appliers, use } = openBench()
  await use('/one')
  await use('/one')
  expect(life).toEqual(['open /one'])
  appliers[Symbol.dispose]()
  appliers[Symbol.dispose]()
  expect(life).toEqual(['open /one', 'end /one'])
})

test('with other options an instance is opened anew, and the former applier ends after its last action', async () => {
  const { life, use } = openBench()
  let finish = (): void => {}
  const first = use('/one', () => new Promise(resolve => (finish = resolve)))
  await use('/two')
  expect(life).toEqual(['open /one', 'open /two'])
  finish()
  await first
  expect(life).toEqual(['open /one', 'open /two', 'end /one'])
  await use('/three')
  expect(life.slice(3)).toEqual(['open /three', 'end /two'])
})
