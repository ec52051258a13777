import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { layoutOf } from '../../../providers/process/shared/layout.ts'
import { eventually } from '../../../src/conformance/eventually.ts'
import { plainProcess } from '../../tools/plain-facility.ts'
import { createInstance, isRunning } from '../process-instance.ts'

test('two instances run side by side, with services of the same name', async () => {
  await using first = createInstance()
  await using second = createInstance({ name: 'other', state: first.instance.stateDirectory })
  expect(second.layout).toEqual(layoutOf(`${first.instance.stateDirectory}/process-other`))
  for (const made of [first, second]) {
    await made.install('web', { command: ['sleep', '1000'] })
    await made.act('start', 'web')
  }
  const before = await second.observe('web')
  expect(before.pid).not.toBe((await first.observe('web')).pid)
  expect(first.supervisor()).not.toBe(second.supervisor())
  await first.act('remove', 'web')
  expect(await second.observe('web')).toEqual(before)
  expect(await first.observer.list()).toEqual([])
  expect(await second.observer.list()).toHaveLength(1)
})

describe('many services', () => {
  const count = 200
  const services = Array.from({ length: count }, (_, index) => `s${index}`)

  test(`${count} services are started, taken over, restarted, stopped and removed in one batch each`, {
    timeout: 120_000,
  }, async () => {
    await using made = createInstance()
    for (const service of services) await made.install(service, { command: ['sleep', '1000'] })
    const observeAll = async () => [...(await made.observer.observe(services)).values()]
    await made.act('start', ...services)
    const before = await observeAll()
    expect(before.filter(({ state }) => state === 'running')).toHaveLength(count)
    await made.killSupervisor()
    await made.act('start', ...services)
    expect((await observeAll()).map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid))
    await made.act('restart', ...services)
    const after = await observeAll()
    expect(after.filter(({ state, supervised }) => state === 'running' && supervised)).toHaveLength(count)
    expect(new Set([...before, ...after].map(({ pid }) => pid)).size).toBe(2 * count)
    await made.act('stop', ...services)
    expect((await observeAll()).filter(({ state }) => state === 'stopped')).toHaveLength(count)
    for (const { pid = 0 } of [...before, ...after]) expect(isRunning(pid)).toBe(false)
    await made.act('remove', ...services)
    for (const path of [made.layout.definitions, made.layout.state, made.layout.runs, made.layout.logs]) {
      expect(made.host.readDirectory(path)).toEqual([])
    }
  })
})

describe('E18: the marker on the service shows its owner', () => {
  test('and survives a deleted definition while the service exists', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'] })
    await made.act('start', 'web')
    const before = await made.observe('web')
    made.host.removeFile(`${made.layout.definitions}/web.json`)
    expect(await made.observe('web')).toEqual(before)
    expect(await made.observer.list()).toEqual([{ service: 'web', ownership: before.ownership }])
    await made.act('remove', 'web')
    expect(isRunning(before.pid ?? 0)).toBe(false)
    expect(await made.observer.list()).toEqual([])
  })

  test('and a service without a marker is observed, but not owned', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'] })
    const path = `${made.layout.definitions}/web.json`
    writeFileSync(path, JSON.stringify({ process: JSON.parse(readFileSync(path, 'utf8')).process }))
    await made.act('start', 'web')
    const observed = await made.observe('web')
    expect(observed).toMatchObject({ state: 'running', supervised: true })
    expect(observed.ownership).toBeUndefined()
    expect(await made.observer.list()).toEqual([])
  })

  test('a broken definition is reported, and the service keeps running', async () => {
    await using made = createInstance()
    await made.install('web', { command: ['sleep', '1000'] })
    await made.act('start', 'web')
    writeFileSync(`${made.layout.definitions}/web.json`, '{ "process": ')
    expect(await made.observe('web')).toMatchObject({
      state: 'running',
      message: expect.stringContaining("can't be read"),
    })
    const result = await made.attempt('restart', 'web')
    expect(!result.ok && result.error.message).toContain("its definition can't be read")
  })
})

test('a hint comes when a service changes, and when the supervisor is killed', async () => {
  await using made = createInstance()
  await made.install('web', { command: ['sleep', '1000'] })
  await made.act('start', 'web')
  const hints: (string | undefined)[] = []
  using _watch = made.observer.watch?.(service => hints.push(service))
  process.kill((await made.observe('web')).pid ?? 0, 'SIGKILL')
  await eventually('the end is hinted at', () => hints.includes('web'))
  await made.see('web', 'running')
  hints.length = 0
  await made.killSupervisor()
  await eventually('the death of the supervisor is hinted at', () => hints.includes(undefined))
})

const hasStrace = spawnSync('strace', ['-V']).error === undefined

test.runIf(hasStrace)(
  'E2: probing, listing and observing write nothing, connect to nothing and signal nobody, as strace sees it',
  async () => {
    await using made = createInstance()
    await made.install('web', { ...plainProcess, command: ['sleep', '1000'] })
    await made.act('start', 'web')
    await made.killSupervisor()
    const program = `
    const { processProvider } = await import(${JSON.stringify(distPath('providers/process/index.js'))})
    const { createReadHost } = await import(${JSON.stringify(distPath('src/host/read-host.js'))})
    const { createClock } = await import(${JSON.stringify(distPath('src/host/clock.js'))})
    const host = createReadHost()
    const instance = ${JSON.stringify(made.instance)}
    process.stderr.write('observing begins\\n')
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const observer = processProvider.openObserver(instance, { host, clock: createClock(), log })
    await observer.probe()
    await observer.list()
    const observed = await observer.observe(['web', 'other'])
    process.stderr.write('observing ends\\n')
    console.log(JSON.stringify([...observed.values()].map(({ state }) => state)))`
    const trace = `${made.scratch}/trace`
    const calls =
      'trace=%file,%network,kill,tkill,tgkill,write,pwrite64,ftruncate,fchmod,fchown,clone,fork,vfork,execve'
    const options = ['-f', '-e', calls, '-o', trace, process.execPath, '--input-type=module', '-e', program]
    const { stdout } = spawnSync('strace', options, { encoding: 'utf8' })
    expect(JSON.parse(stdout)).toEqual(['running', 'absent'])
    const lines = readFileSync(trace, 'utf8').split('\n')
    const from = lines.findIndex(line => line.includes('observing begins'))
    const to = lines.findIndex(line => line.includes('observing ends'))
    const seen = lines.slice(from + 1, to).filter(line => /^\d+ +\w+\(/.test(line))
    expect(seen.some(line => line.includes(made.layout.state))).toBe(true)
    const allowed =
      /^\d+ +(?:openat\([^)]*O_RDONLY(?!.*O_CREAT)|statx|newfstatat|stat|lstat|readlink|readlinkat|access|faccessat2?|getcwd)/
    // Node wakes its own threads through a descriptor of 8 bytes.
    const own = /^\d+ +write\(\d+, "\\1\\0\\0\\0\\0\\0\\0\\0", 8\)/
    expect(seen.filter(line => !allowed.test(line) && !own.test(line))).toEqual([])
  },
)

function distPath(path: string): string {
  return fileURLToPath(new URL(`../../../dist/${path}`, import.meta.url))
}
