import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { withQueryFiles } from '../../../src/host/query-files.ts'
import { createReadHost } from '../../../src/host/read-host.ts'

const files = [
  { name: 'web.service', content: 'one' },
  { name: 'web.service.d/limits.conf', content: 'two' },
]

test('E2: query files are in a directory that only their user can read, and removed with it', async () => {
  const seen = await withQueryFiles(files, async directory => {
    expect(files.map(({ name }) => readFileSync(join(directory, name), 'utf8'))).toEqual(['one', 'two'])
    expect([statSync(directory).mode & 0o777, statSync(join(directory, 'web.service')).mode & 0o777]).toEqual([
      0o700, 0o600,
    ])
    // A simultaneous query has another directory and leaves this one alone.
    await withQueryFiles(files, async other => expect(other).not.toBe(directory))
    expect(existsSync(join(directory, 'web.service'))).toBe(true)
    return directory
  })
  expect(existsSync(seen)).toBe(false)
  await expect(withQueryFiles(files, () => Promise.reject(new Error('it broke')))).rejects.toThrow('it broke')
})

test('files of a killed process are cleaned up', async () => {
  const base = await withQueryFiles([], async directory => dirname(directory))
  const { pid } = spawnSync('true')
  const [left, live] = [join(base, `reeve-query-${pid}-a`), join(base, `reeve-query-${process.pid}-a`)]
  mkdirSync(join(left, 'web.service.d'), { recursive: true })
  mkdirSync(live)
  await withQueryFiles([], async () => {})
  expect([existsSync(left), existsSync(live)]).toEqual([false, true])
  rmSync(live, { recursive: true })
})

test('a query finds its files in its working directory, and their contents by its environment', async () => {
  const host = createReadHost({ queries: [['/bin/sh', '-c']] })
  const script = 'cat web.service web.service.d/limits.conf; printf " $WORD"'
  const found = await host.query(['/bin/sh', '-c', script], { files, environment: { WORD: 'three' } })
  expect(found).toMatchObject({ exitCode: 0, stdout: 'onetwo three' })
})
