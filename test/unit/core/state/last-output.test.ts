import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Process } from '../../../../src/core/model/facility.ts'
import { describeLastLines, LAST_LINES, lastLinesOf } from '../../../../src/core/state/last-output.ts'
import { createReadHost } from '../../../../src/host/read-host.ts'
import { readLogEnd } from '../../../../src/host/service-log.ts'
import { plainProcess } from '../../../tools/plain-facility.ts'

describe('the last lines of a text', () => {
  test('are few, without empty ones, and cut if long', () => {
    const text = `${Array.from({ length: 20 }, (_, index) => `line ${index}`).join('\r\n')}\n\n${'x'.repeat(600)}\n`
    const lines = lastLinesOf(text)
    expect(lines).toHaveLength(LAST_LINES)
    expect(lines[0]).toBe('line 13')
    expect(lines.at(-1)).toBe(`${'x'.repeat(500)}…`)
    expect(lastLinesOf('f a line\nanother\n', { isCut: true })).toEqual(['another'])
    expect(lastLinesOf('all of one line', { isCut: true })).toEqual(['all of one line'])
    expect(lastLinesOf('\n')).toEqual([])
  })

  test('S4: contain no text that looks like a secret', () => {
    const text = 'DB_PASSWORD=hunter2\n-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----\nbye\n'
    const lines = lastLinesOf(text).join('\n')
    expect(lines).not.toMatch(/hunter2|MIIEow/)
    expect(lines).toMatch(/bye$/)
  })

  test('continue a message', () => {
    expect(describeLastLines('its output', ['a', 'b'])).toBe('; its output ends with:\n  a\n  b')
    expect(describeLastLines('its output', [])).toBe('')
  })
})

describe('the end of a log', () => {
  const nobody = 65_534
  const isRoot = process.geteuid?.() === 0
  const host = createReadHost()
  const asRoot: Process = { ...plainProcess, command: ['web'] }
  const asNobody: Process = { ...asRoot, user: 'nobody' }
  let base = ''
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'reeve-log-'))
    chmodSync(base, 0o755)
  })
  afterEach(() => rmSync(base, { recursive: true }))

  function put(name: string, text: string, mode: number, owner?: number): string {
    const path = join(base, name)
    writeFileSync(path, text, { mode })
    if (owner !== undefined) chownSync(path, owner, owner)
    return path
  }

  test('is read where only root can write, whoever owns the file; of a long file only the end', () => {
    const long = put('long', `${'y'.repeat(10_000)}\nend\n`, 0o640)
    const found = readLogEnd(long, asRoot, host)
    expect(found).toMatchObject({ isCut: true, text: expect.stringMatching(/^y{8187}\nend\n$/) })
    expect(readLogEnd(put('short', 'end\n', 0o640), undefined, host)).toEqual({ text: 'end\n', isCut: false })
    expect(readLogEnd(join(base, 'missing'), asRoot, host)).toBeUndefined()
    expect(readLogEnd(base, asRoot, host)).toBeUndefined()
    expect(readLogEnd('/dev/null', asRoot, host)).toBeUndefined()
  })

  test('is found where the logger of a scan directory writes', () => {
    mkdirSync(join(base, 'web.log.d'))
    put('web.log.d/current', 'here\n', 0o640)
    symlinkSync('web.log.d/current', join(base, 'web.log'))
    expect(readLogEnd(join(base, 'web.log'), asRoot, host)?.text).toBe('here\n')
  })

  test.runIf(isRoot)(
    'S8: at a path that the service’s user can replace is shown only if that user may read it, and no link is followed',
    () => {
      const secret = put('secret', 'of root\n', 0o600)
      mkdirSync(join(base, 'theirs'))
      chownSync(join(base, 'theirs'), nobody, nobody)
      const own = put('theirs/own', 'their own\n', 0o600, nobody)
      expect(readLogEnd(own, asNobody, host)?.text).toBe('their own\n')
      // A service that runs as root has no such user.
      expect(readLogEnd(own, asRoot, host)).toBeUndefined()
      expect(readLogEnd(own, { ...asRoot, user: 'reeve-no-such-user' }, host)).toBeUndefined()
      const path = join(base, 'theirs/web.log')
      symlinkSync(secret, path)
      expect(readLogEnd(path, asNobody, host)).toBeUndefined()
      rmSync(path)
      linkSync(secret, path)
      expect(readLogEnd(path, asNobody, host)).toBeUndefined()
      rmSync(path)
      // A link to a directory, and the link of a logger.
      symlinkSync(base, join(base, 'theirs/up'))
      expect(() => readLogEnd(join(base, 'theirs/up/secret'), asNobody, host)).toThrow(
        /symlink that others can replace/,
      )
      symlinkSync('web.log.d/current', path)
      mkdirSync(join(base, 'theirs/web.log.d'))
      symlinkSync(secret, join(base, 'theirs/web.log.d/current'))
      expect(readLogEnd(path, asNobody, host)).toBeUndefined()
      renameSync(join(base, 'theirs/web.log.d'), join(base, 'theirs/away'))
      symlinkSync(base, join(base, 'theirs/web.log.d'))
      put('current', 'of root\n', 0o600)
      expect(() => readLogEnd(path, asNobody, host)).toThrow(/symlink that others can replace/)
    },
  )
})
