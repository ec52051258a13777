import { expect, test } from 'vitest'
import { createEngineLab, diary } from '../../labs/engine-lab.ts'

test('a controller that ends for good stops the services, each before its dependencies; the next one starts them', async () => {
  await using lab = createEngineLab()
  const file = lab.path('diary')
  lab.declare('db', { process: diary('db', file), state: 'running' })
  lab.declare('web', { process: diary('web', file, { stopping: 0.3 }), state: 'running', dependsOn: ['db'] })
  lab.declare('once', {
    process: { command: ['/bin/sh', '-c', `echo once >> ${file}`], restart: { policy: 'on-failure' } },
    state: 'running',
  })
  const words = (): string[] => lab.lines('diary').map(line => line.split(' ').slice(0, 2).join(' '))
  const first = await lab.run({ stopServices: true })
  for (const name of ['db', 'web', 'once']) await first.ready(name)
  await first.stop()
  expect((await lab.observe('db')).state).toBe('stopped')
  expect(words().slice(-2)).toEqual(['stop web', 'stop db'])
  expect(first.log.map(({ message }) => message).slice(-2)).toEqual([
    '2 services are stopped',
    'the controller has ended',
  ])

  const second = await lab.run()
  for (const name of ['db', 'web', 'once']) await second.ready(name)
  await second.stop()
  // A completed job isn't repeated, and without the option nothing is stopped.
  expect(words().filter(word => word === 'once')).toHaveLength(1)
  expect((await lab.observe('web')).state).toBe('running')
})

test('a service that does not stop in time is killed, and delays nothing else', async () => {
  await using lab = createEngineLab()
  const stubborn = {
    command: ['/bin/sh', '-c', "trap '' TERM; while :; do sleep 0.1; done"],
    stop: { timeout: '300ms' },
  }
  lab.declare('stubborn', { process: stubborn, state: 'running' })
  const controller = await lab.run({ stopServices: true })
  await controller.ready('stubborn')
  await controller.stop()
  expect(await lab.observe('stubborn')).toMatchObject({ state: 'stopped', exit: { signal: 'KILL' } })
})
