import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { TargetFile } from '../../src/core/target.ts'
import { holdsContent } from '../../src/engine/managed-file.ts'
import { sha256 } from '../../src/engine/targets.ts'
import { createReadHost } from '../../src/host/read-host.ts'

const directory = mkdtempSync(join(tmpdir(), 'reeve-managed-file-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const host = createReadHost()
const content = new TextEncoder().encode('declared\n')

function declaredAt(name: string): TargetFile {
  const path = join(directory, name)
  return { path, content, digest: sha256(content), mode: 0o644, uid: 0, gid: 0, onChange: 'restart' }
}

test('PITFALLS 24: a file holds what is declared, or was overwritten or deleted', () => {
  const file = declaredAt('file')
  expect(holdsContent(file, host)).toBe(false)
  writeFileSync(file.path, 'other\n')
  expect(holdsContent(file, host)).toBe(false)
  writeFileSync(file.path, content)
  expect(holdsContent(file, host)).toBe(true)
})

test('PITFALLS 24: S8: what is no file, or can not be looked at, is left to the next look at the host', () => {
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
