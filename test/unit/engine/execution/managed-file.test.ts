import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { ResolvedFile } from '../../../../src/core/model/resolved-facility.ts'
import { holdsContent, writeManagedFile } from '../../../../src/engine/execution/managed-file.ts'
import { createReadHost } from '../../../../src/host/read-host.ts'
import { sha256 } from '../../../../src/host/sha256.ts'
import { createWriteHost } from '../../../../src/host/write-host.ts'

const directory = mkdtempSync(join(tmpdir(), 'reeve-managed-file-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const host = createReadHost()
const content = new TextEncoder().encode('declared\n')

function declaredAt(name: string): ResolvedFile {
  const path = join(directory, name)
  return { path, content, digest: sha256(content), mode: 0o644, uid: 0, gid: 0, onChange: 'restart' }
}

test('PITFALLS 24: a file is as declared, or was overwritten or deleted', () => {
  const file = declaredAt('file')
  expect(holdsContent(file, host)).toBe(false)
  writeFileSync(file.path, 'other\n')
  expect(holdsContent(file, host)).toBe(false)
  writeFileSync(file.path, content)
  expect(holdsContent(file, host)).toBe(true)
})

test('PITFALLS 24: S8: a path that is no file or cannot be read is left to the next refresh', () => {
  writeFileSync(join(directory, 'elsewhere'), 'other\n')
  const link = declaredAt('link')
  symlinkSync('elsewhere', link.path)
  expect(holdsContent(link, host)).toBe(true)
  mkdirSync(join(directory, 'directory'))
  expect(holdsContent(declaredAt('directory'), host)).toBe(true)
  const unreadable = {
    ...host,
    inspectFile: () => {
      throw new Error('no permission')
    },
  }
  expect(holdsContent(declaredAt('file'), unreadable)).toBe(true)
})

test('E19: an adopted file is overwritten only if its copy matches or nothing has to be restored', async () => {
  const file = { ...declaredAt('adopted'), uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const write = (copied: string | undefined, onRemove?: 'delete'): Promise<void> => {
    const found = { digest: sha256(copied ?? ''), mode: 0o644, uid: 0, gid: 0, isKept: true }
    const claim = { isFulfilled: false, contents: [file.digest], ...(copied !== undefined && { found }) }
    const host = createWriteHost()
    return writeManagedFile({ ...file, ...(onRemove && { onRemove }) }, { host, claim, adopt: true })
  }
  writeFileSync(file.path, 'edited meanwhile\n')
  for (const copied of ['as it was looked at\n', undefined]) {
    await expect(write(copied)).rejects.toThrow(`file ${file.path} has changed since Reeve looked at it`)
    expect(readFileSync(file.path, 'utf8')).toBe('edited meanwhile\n')
  }
  await write('edited meanwhile\n')
  expect(readFileSync(file.path, 'utf8')).toBe('declared\n')
  writeFileSync(file.path, 'edited again\n')
  await write(undefined, 'delete')
  expect(readFileSync(file.path, 'utf8')).toBe('declared\n')
})
