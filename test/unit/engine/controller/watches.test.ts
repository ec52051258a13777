import { expect, test } from 'vitest'
import { processProvider } from '../../../../providers/process/index.ts'
import type { ReadHost } from '../../../../src/core/contracts/host.ts'
import { createFileWatch } from '../../../../src/engine/controller/file-watch.ts'
import { createSupervisorWatch } from '../../../../src/engine/controller/supervisor-watch.ts'
import { createReadHost } from '../../../../src/host/read-host.ts'
import { makeFacility } from '../../../simulation/declaration.ts'
import { openObserver } from '../../../tools/opened-provider.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }

/** Watch that reports what the test tells it to. */
function createWatchedHost() {
  const hints = new Map<string, (name?: string) => void>()
  const host: ReadHost = {
    ...createReadHost(),
    watch(directory, hint) {
      hints.set(directory, hint)
      return { [Symbol.dispose]: () => hints.delete(directory) }
    },
  }
  return { host, hints }
}

function withFiles(name: string, ...paths: readonly string[]) {
  const content = new Uint8Array()
  return {
    ...makeFacility({ name }),
    files: paths.map(path => ({ path, content, mode: 0o644, onChange: 'restart' as const })),
  }
}

test('a change of a file is reported to the facility it belongs to, also within one directory', () => {
  const { host, hints } = createWatchedHost()
  const hinted: string[] = []
  using watch = createFileWatch(host, log, name => hinted.push(name))
  watch.follow([withFiles('web', '/etc/web.conf', '/etc/mime.types'), withFiles('db', '/etc/db.conf')])
  hinted.length = 0
  for (const name of ['web.conf', 'passwd', 'db.conf', 'mime.types']) hints.get('/etc')?.(name)
  expect(hinted).toEqual(['web', 'db', 'web'])
  hinted.length = 0
  hints.get('/etc')?.()
  expect(hinted).toEqual(['web', 'db'])
})

test('a facility that is no longer declared is neither watched nor reported', () => {
  const { host, hints } = createWatchedHost()
  const hinted: string[] = []
  using watch = createFileWatch(host, log, name => hinted.push(name))
  watch.follow([withFiles('web', '/etc/web.conf', '/srv/web.html'), withFiles('db', '/etc/db.conf')])
  watch.follow([withFiles('db', '/etc/db.conf')])
  hinted.length = 0
  hints.get('/etc')?.('web.conf')
  expect([hinted, [...hints.keys()]]).toEqual([[], ['/etc']])
})

test('a newly watched facility is observed again, as it may have changed since the refresh', () => {
  const { host } = createWatchedHost()
  const hinted: unknown[] = []
  using files = createFileWatch(host, log, name => hinted.push(name))
  using supervisors = createSupervisorWatch((supervisor, service) => hinted.push([supervisor, service]), log)
  const instance = {
    name: 'lab',
    type: 'process',
    options: { directory: '/run/lab' },
    stateDirectory: '/var',
    owner: 'me',
  }
  const observer = { ...openObserver(processProvider, instance), watch: () => ({ [Symbol.dispose]() {} }) }
  const instances = new Map([['lab', { instance, provider: processProvider, observer }]])
  for (let pass = 1; pass <= 2; pass += 1) {
    files.follow([withFiles('web', '/etc/web.conf')])
    supervisors.follow(instances)
  }
  expect(hinted).toEqual(['web', ['lab', undefined]])
})
