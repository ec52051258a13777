import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { processProvider } from '../../../providers/process/index.ts'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { Provider } from '../../../src/core/contracts/provider.ts'
import { type Clock, createClock } from '../../../src/host/clock.ts'
import { createEngineLab, longRun } from '../../labs/engine-lab.ts'

/** No resync within the test: only a hint can help. */
const byHint = { configuration: 'resync: 1h' }

const damages: Readonly<Record<string, (path: string) => void>> = {
  edited: path => writeFileSync(path, 'two\n'),
  removed: path => rmSync(path),
  'replaced by another': path => {
    writeFileSync(`${path}.new`, 'two\n')
    renameSync(`${path}.new`, path)
  },
  'gone with its directory, which was created anew': path => {
    rmSync(dirname(path), { recursive: true })
    mkdirSync(dirname(path))
  },
}

for (const [damage, act] of Object.entries(damages)) {
  test.concurrent(`E1: a configuration file that is ${damage} is restored at once`, async () => {
    await using lab = createEngineLab(byHint)
    mkdirSync(lab.path('etc'))
    const path = lab.path('etc', 'web.conf')
    const other = lab.path('etc', 'other.conf')
    lab.declare('web', { process: longRun(1), files: [{ path, content: 'one\n' }] })
    lab.declare('other', { process: longRun(2), files: [{ path: other, content: 'other\n' }] })
    const controller = await lab.run()
    await controller.ready('web')
    await controller.ready('other')
    act(path)
    await eventually('the file to be as declared', () => readQuietly(path) === 'one\n')
    await eventually('the other to be as declared', () => readQuietly(other) === 'other\n')
    await controller.ready('web')
  })
}

test.concurrent('a file that is declared later is watched too, and one no longer declared is not', async () => {
  await using lab = createEngineLab(byHint)
  const [one, two] = [lab.path('one.conf'), lab.path('two.conf')]
  lab.declare('web', { process: longRun(), files: [{ path: one, content: 'one\n' }] })
  const controller = await lab.run()
  await controller.ready('web')
  lab.declare('web', { process: longRun(), files: [{ path: two, content: 'two\n' }] })
  await eventually('the files to be exchanged', () => readQuietly(one) === undefined && readQuietly(two) === 'two\n')
  await controller.ready('web')
  writeFileSync(one, 'mine\n')
  rmSync(two)
  await eventually('the second to come back', () => readQuietly(two) === 'two\n')
  await controller.ready('web')
  expect(readQuietly(one)).toBe('mine\n')
})

/** Clock that records how long the controller means to rest. */
function createRestClock(): { readonly clock: Clock; rest(): 'long' | 'short' | undefined } {
  const clock = createClock()
  let rest: 'long' | 'short' | undefined
  const after: Clock['after'] = (duration, act) => {
    // Since the last full refresh, which on a busy machine is a while ago.
    if (duration > 200_000 && duration <= 300_000) rest = 'long'
    if (duration > 25_000 && duration <= 30_000) rest = 'short'
    return clock.after(duration, act)
  }
  return { clock: { ...clock, after }, rest: () => rest }
}

test.concurrent('a full refresh follows every 5 minutes at rest, and every 30 s while something is not up to date', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  const { clock, rest } = createRestClock()
  const controller = await lab.run({ clock })
  await controller.ready('web')
  await eventually('the long rest', () => rest() === 'long')
  lab.declare('bad', { process: { command: ['/bin/false'], restart: { policy: 'never' } } })
  await eventually('the short rest', () => rest() === 'short')
  lab.withdraw('bad')
  await eventually('the long rest again', () => rest() === 'long')
})

test.concurrent('a supervisor that cannot be watched is polled every 30 s', async () => {
  const silent: Provider = {
    ...processProvider,
    openObserver(...args) {
      const { watch: _watch, ...observer } = processProvider.openObserver(...args)
      return observer
    },
  }
  await using lab = createEngineLab({ providers: [silent] })
  lab.declare('web', { process: longRun() })
  const { clock, rest } = createRestClock()
  const controller = await lab.run({ clock })
  await controller.ready('web')
  await eventually('the short rest', () => rest() === 'short')
})

function readQuietly(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // it is gone
  }
}
