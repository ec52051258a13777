import { expect, test } from 'vitest'
import { processProvider } from '../../../../providers/process/index.ts'
import { silentLog } from '../../../../src/core/contracts/log.ts'
import type { Provider } from '../../../../src/core/contracts/provider.ts'
import type { Instance } from '../../../../src/core/model/facility.ts'
import { createObservers } from '../../../../src/engine/session/observers.ts'
import { createReadHost } from '../../../../src/host/read-host.ts'
import { createManualClock } from '../../../tools/manual-clock.ts'
import { withObserver } from '../../../tools/opened-provider.ts'

function instanceAt(directory: string): Instance {
  return { name: 'lab', type: 'process', options: { directory }, stateDirectory: '/state', owner: 'test' }
}

/** Observers that note in `life` when they are opened and disposed of. */
function openBench(provider: Provider = processProvider) {
  const life: string[] = []
  const noting = withObserver(provider, (_, { options }) => {
    life.push(`open ${options.directory}`)
    return { [Symbol.dispose]: () => void life.push(`end ${options.directory}`) }
  })
  const observers = createObservers({
    clock: createManualClock(),
    log: silentLog,
    readHostFor: () => createReadHost(),
  })
  return { life, observers, get: (directory: string) => observers.get(noting, instanceAt(directory)) }
}

test('an instance is opened once, on the first use', () => {
  const { life, get } = openBench()
  expect(life).toEqual([])
  expect(get('/one')).toBe(get('/one'))
  get('/two')
  expect(life).toEqual(['open /one', 'open /two'])
})

test('an instance with other options is opened anew, and the observer of the former options ends', () => {
  const { life, observers, get } = openBench()
  get('/one')
  get('/two')
  observers.keep([instanceAt('/two')])
  expect(life).toEqual(['open /one', 'open /two', 'end /one'])
  get('/one')
  expect(life.at(-1)).toBe('open /one')
})

test('all observers end with the session', () => {
  const { life, observers, get } = openBench()
  get('/one')
  get('/two')
  observers[Symbol.dispose]()
  expect(life.slice(2)).toEqual(['end /one', 'end /two'])
})

test('E7: a supervisor that cannot be opened is unavailable with the reason, and opened on a later use', async () => {
  let isBroken = true
  const { get } = openBench({
    ...processProvider,
    openObserver(...args) {
      if (isBroken) throw new Error('no licence')
      return processProvider.openObserver(...args)
    },
  })
  const blind = get('/one')
  expect(await blind.probe()).toEqual({ available: false, reason: 'no licence' })
  await expect(blind.list()).rejects.toMatchObject({ code: 'unavailable', message: 'no licence' })
  expect((await blind.observe(['web'])).get('web')).toMatchObject({ state: 'unknown', message: 'no licence' })
  isBroken = false
  expect(await get('/one').list()).toEqual([])
})
