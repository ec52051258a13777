import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { isAlive, openCliFixture, reevePath, sleeper } from '../labs/cli-fixture.ts'

// A user's day with `reeve run`: start, edits, repairs, and the end.

test('reeve run starts services, follows edits, repairs drift, refuses actions that it would revert, and leaves services running', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  const controller = home.start(['run'])
  const first = await eventually('web runs', async () => (await home.status('web'))?.pid)
  // No facility names a supervisor that this host may lack.
  const answer = await home.reeve(['status', '-o', 'json'])
  expect(JSON.parse(answer.stdout).controller.problems).toEqual([])

  process.kill(first, 'SIGKILL')
  const second = await eventually('web runs again', async () => {
    const pid = (await home.status('web'))?.pid
    return pid !== first && pid
  })

  home.write('manifests/worker.yaml', sleeper('worker', '  dependsOn: [web]\n'))
  const worker = await eventually('worker runs', async () => (await home.status('worker'))?.pid)

  const down = await home.reeve(['down', '--yes'])
  expect(down).toMatchObject({ exitCode: 1, stdout: '' })
  expect(down.stderr).toMatch(/^reeve: the controller would bring web, worker back .* stop the controller/)

  const refused = await home.reeve(['stop', 'worker'])
  expect(refused.exitCode).toBe(1)
  expect(refused.stderr).toMatch(/^reeve: .*--suspend.*change the manifest/)
  expect(isAlive(worker)).toBe(true)
  expect((await home.reeve(['stop', 'worker', '--suspend'])).exitCode).toBe(0)
  expect(await home.status('worker')).toMatchObject({ state: 'stopped' })
  expect((await home.reeve(['resume', 'worker'])).exitCode).toBe(0)
  await eventually('worker runs again', async () => (await home.status('worker'))?.state === 'running')

  home.remove('manifests/worker.yaml')
  await eventually('worker is gone', async () => (await home.status('worker')) === undefined)

  home.write('manifests/web.yaml', 'spec: [')
  await eventually('status names the invalid file', async () =>
    (await home.reeve(['status'])).stdout.includes('web.yaml'),
  )
  expect(isAlive(second)).toBe(true)

  controller.child.kill('SIGTERM')
  const { exitCode, stdout, stderr } = await controller.ended
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' })
  expect(isAlive(second)).toBe(true)
  for (const line of stderr.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('msg')
  home.write('manifests/web.yaml', sleeper('web'))
})

test('E9: the command in the log of a refused removal works, typed anywhere', async () => {
  const names = ['a', 'b', 'c', 'd']
  const home = openCliFixture(Object.fromEntries(names.map(name => [`${name}.yaml`, sleeper(name)])))
  const controller = home.start(['run'])
  await eventually('d runs', async () => (await home.status('d'))?.pid)
  for (const name of names.slice(1)) home.remove(`manifests/${name}.yaml`)
  const hint = await eventually(
    'it refuses',
    () => /`(reeve apply .*? --allow-removals 3)`/.exec(controller.stderr())?.[1],
  )

  const plain = await home.reeve(['apply'])
  expect(plain).toMatchObject({ exitCode: 1, stdout: '' })
  expect(plain.stderr).toContain(hint)
  const command = hint.replace('reeve', `'${process.execPath}' '${reevePath}'`)
  const env = { PATH: process.env.PATH, HOME: home.directory }
  const typed = spawnSync('/bin/sh', ['-c', command], { cwd: '/', env, encoding: 'utf8' })
  expect(typed.stderr).toContain('b: stopped')
  expect(typed).toMatchObject({ status: 0, stdout: 'Done: 0 added, 0 changed, 0 repaired, 3 removed, 1 unchanged.\n' })

  const elsewhere = await home.reeve(['apply', '/tmp'])
  expect(elsewhere.stderr).toMatch(/^reeve: the controller .* has other settings .*manifests is .* and "\/tmp" here/)
  expect((await home.reeve(['apply'])).stdout).toBe('No changes. 1 facility is as declared.\n')
  home.remove('manifests/a.yaml')
  expect(JSON.parse(await home.succeed(['down', 'a', '--yes', '-o', 'json']))).toMatchObject({
    failed: [],
    stepsDone: 2,
  })
  expect(await home.status('a')).toBeUndefined()
})

test('an interrupted manual action is reported, and the controller completes it', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  home.start(['run'])
  await eventually('web runs', async () => (await home.status('web'))?.pid)
  home.write('manifests/slow.yaml', sleeper('slow', '  health: { tcp: { port: 1 }, startupTimeout: 60s }\n'))
  const asking = home.start(['apply'])
  await eventually('it waits', () => asking.stderr().includes('slow: waits'))
  asking.child.kill('SIGINT')
  const { exitCode, stderr } = await asking.ended
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(/reeve: interrupted; the controller \(process \d+\) goes on with what it has begun/)
  expect(await home.status('slow')).toMatchObject({ state: 'running' })
})

test('status --watch continues when the controller ends and when another one starts', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  const begin = async () => {
    const controller = home.start(['run'])
    await eventually('web runs', async () => (await home.status('web'))?.state === 'running')
    return controller
  }
  const first = await begin()
  const watching = home.start(['status', '--watch', '-o', 'json'])
  const saidLast = () => watching.stdout().trimEnd().split('\n').at(-1) ?? ''
  await eventually('it asks the controller', () => saidLast().includes(`"controller":{"pid":${first.child.pid},`))
  first.child.kill('SIGTERM')
  await first.ended
  await eventually(
    'it looks by itself',
    () => saidLast().includes('"name":"web"') && !saidLast().includes('"controller"'),
  )
  const second = await begin()
  await eventually('it asks the other controller', () =>
    saidLast().includes(`"controller":{"pid":${second.child.pid},`),
  )
  watching.child.kill('SIGINT')
  expect(await watching.ended).toMatchObject({ exitCode: 0, stderr: '' })
  second.child.kill('SIGTERM')
  await second.ended
})

test('E16: a second signal ends reeve run at once', async () => {
  const home = openCliFixture({ 'web.yaml': sleeper('web') })
  const controller = home.start(['run'])
  await eventually('web runs', async () => (await home.status('web'))?.pid)
  controller.child.kill('SIGINT')
  controller.child.kill('SIGINT')
  const begun = Date.now()
  const { exitCode, signal } = await controller.ended
  expect(signal).toBeNull()
  expect([0, 1]).toContain(exitCode)
  expect(Date.now() - begun).toBeLessThan(5000)
})
