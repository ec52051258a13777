import { existsSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openScratch } from '../../../src/host/scratch.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'

test('E2: a scratch host writes in its own directory only, and nobody else can look into that', async () => {
  const scratch = openScratch(createWriteHost())
  const { directory, host } = scratch
  expect(lstatSync(directory).mode & 0o777).toBe(0o700)
  host.makeDirectory(join(directory, 'a'), { mode: 0o700 })
  host.writeFile(join(directory, 'a/b'), 'x', { mode: 0o600 })
  host.moveFile(join(directory, 'a/b'), join(directory, 'a/c'))
  expect(host.readText(join(directory, 'a/c'))).toBe('x')
  const outside = join(tmpdir(), 'reeve-outside')
  for (const path of [outside, directory, `${directory}/../reeve-outside`, `${directory}x`]) {
    expect(() => host.makeDirectory(path, { mode: 0o700 })).toThrow(/outside of the temporary directory/)
    expect(() => host.writeFile(path, 'x', { mode: 0o600 })).toThrow(/outside/)
    expect(() => host.moveFile(join(directory, 'a/c'), path)).toThrow(/outside/)
    expect(() => host.moveFile(path, join(directory, 'a/d'))).toThrow(/outside/)
    expect(() => host.makeLink(path, '/')).toThrow(/outside/)
    expect(() => host.removeFile(path)).toThrow(/outside/)
    expect(() => host.removeDirectory(path)).toThrow(/outside/)
    await expect(host.writeFiles([{ path, content: 'x', mode: 0o600 }])).rejects.toThrow(/outside/)
    expect(() => host.reuseFiles(directory, [{ path, content: 'x', mode: 0o600 }])).toThrow(/outside/)
  }
  scratch[Symbol.dispose]()
  expect([existsSync(directory), existsSync(outside)]).toEqual([false, false])
})

test('a scratch directory of a process that was killed goes with the next one', () => {
  const left = join(tmpdir(), 'reeve-revision-4194305-abcdef')
  mkdirSync(left)
  writeFileSync(join(left, 'x'), '')
  using _scratch = openScratch(createWriteHost())
  expect(existsSync(left)).toBe(false)
})
