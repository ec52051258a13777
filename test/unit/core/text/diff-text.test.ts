import { describe, expect, test } from 'vitest'
import { type DiffSide, definitionDiff, diffText } from '../../../../src/core/text/diff-text.ts'
import { bytesOf } from '../../../simulation/declaration.ts'

const path = '/etc/web.toml'
const absent: DiffSide = {}

function file(text: string, facts: Partial<DiffSide> = {}): DiffSide {
  return { content: bytesOf(text), mode: 0o644, uid: 0, gid: 0, ...facts }
}

describe('a diff', () => {
  test('shows three lines of context, numbered as diff(1) does', () => {
    const old = 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\n'
    const now = 'a\nb\nc\nd\nE\nf\ng\nh\ni\nj\nk\nl\nm\nn\n'
    expect(diffText(path, file(old), file(now))).toMatchInlineSnapshot(`
      "--- /etc/web.toml
      +++ /etc/web.toml
      @@ -2,7 +2,7 @@
       b
       c
       d
      -e
      +E
       f
       g
       h
      @@ -11,3 +11,4 @@
       k
       l
       m
      +n
      "
    `)
  })

  test('shows a new file and a removed file', () => {
    expect(diffText(path, absent, file('a\nb\n'))).toBe('--- /dev/null\n+++ /etc/web.toml\n@@ -0,0 +1,2 @@\n+a\n+b\n')
    expect(diffText(path, file('a\n'), absent)).toBe('--- /etc/web.toml\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n')
    expect(diffText(path, absent, file(''))).toBe('--- /dev/null\n+++ /etc/web.toml\n(empty)\n')
  })

  test('shows every difference: a final newline, a byte order mark, a line ending', () => {
    expect(diffText(path, file('a\n'), file('a'))).toContain('\\ No newline at end of file')
    expect(diffText(path, file('a\n'), file('\uFEFFa\n'))).toContain('-a\n+\uFEFFa\n')
    expect(diffText(path, file('a\r\n'), file('a\n'))).toContain('-a\r\n+a\n')
    expect(diffText(path, { ...file(''), content: Uint8Array.of(0xff) }, file('a'))).toBe(
      'binary content of /etc/web.toml differs\n',
    )
    expect(diffText(path, file('a'), { ...file(''), content: Uint8Array.of(65, 0) })).toContain('binary')
  })

  test('of equal texts is empty', () => {
    expect(diffText(path, file('a\n'), file('a\n'))).toBe('')
    expect(diffText(path, file('a\n', { mode: 0o600 }), file('a\n', { mode: 0o600 }))).toBe('')
    expect(definitionDiff(path, file('a\n'), file('a\n'))).toBe('')
    expect(diffText(path, absent, absent)).toBe('')
  })

  test('shows mode and owner before the content', () => {
    expect(diffText(path, file('a', { mode: 0o666, uid: 5, gid: 6 }), file('b'))).toMatch(
      /^mode 0666 → 0644\nowner 5:6 → 0:0\n--- /,
    )
    expect(definitionDiff(path, file('a', { mode: 0o4755 }), file('a'))).toBe('mode 4755 → 0644\n')
  })

  test('S4: hides the content of a file that not everybody may read, before or after', () => {
    const hidden = 'content differs; not shown, as not everybody may read /etc/web.toml\n'
    const modes: [number, number][] = [
      [0o600, 0o600],
      [0o640, 0o640],
      [0o600, 0o644],
      [0o644, 0o600],
    ]
    for (const [old, now] of modes) {
      const diff = diffText(path, file('hunter1', { mode: old }), file('hunter2', { mode: now }))
      expect(diff.endsWith(hidden)).toBe(true)
      expect(diff).not.toContain('hunter')
    }
    expect(diffText(path, absent, file('hunter2', { mode: 0o600 }))).toBe(hidden)
    expect(diffText(path, file('x', { mode: 0o600 }), file('x', { mode: 0o640 })), 'only its mode differs').toBe(
      'mode 0600 → 0640\n',
    )
  })

  test('shows a definition whatever its mode: its secrets are references', () => {
    const diff = definitionDiff(path, file('a\n', { mode: 0o600 }), file('b\n', { mode: 0o600 }))
    expect(diff).toContain('-a\n+b\n')
  })

  test('S4: redacts secrets, and still shows that one differs', () => {
    const diff = diffText(path, file('port: 1\npassword: hunter1\n'), file('port: 2\npassword: hunter2\n'))
    expect(diff).not.toContain('hunter')
    expect(diff).toMatchInlineSnapshot(`
      "--- /etc/web.toml
      +++ /etc/web.toml
      @@ -1,2 +1,2 @@
      -port: 1
      -password: (redacted)
      +port: 2
      +password: (redacted)
      "
    `)
    const alone = diffText(path, file('password: hunter1\n'), file('password: hunter2\n'))
    expect(alone).toContain('-password: (redacted)\n+password: (redacted)\n')
  })

  test('S4: redacts a line of a secret even if the line that opens the secret is outside the context', () => {
    const block = (last: string) => `secret: |\n${'  same\n'.repeat(9)}  ${last}\n`
    const diff = diffText(path, file(block('hunter1')), file(block('hunter2')))
    expect(diff).not.toContain('hunter')
    expect(diff).not.toContain('same')
  })

  test('S4: redacts a common line that belongs to a secret on one side only', () => {
    const diff = diffText(path, file('secret: |\n  hunter2\n'), file('plain: |\n  hunter2\n'))
    expect(diff).not.toContain('hunter')
    expect(diffText(path, file('plain: |\n  hunter2\n'), file('secret: |\n  hunter2\n'))).not.toContain('hunter')
  })

  test('shows whole additions and removals as diff(1) does', () => {
    const end = '\\ No newline at end of file\n'
    expect(diffText(path, absent, file('a\n\nb'))).toBe(
      `--- /dev/null\n+++ /etc/web.toml\n@@ -0,0 +1,3 @@\n+a\n+\n+b\n${end}`,
    )
    expect(diffText(path, file('a\n'), absent)).toBe('--- /etc/web.toml\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n')
    expect(diffText(path, file(''), file('\n'))).toBe('--- /etc/web.toml\n+++ /etc/web.toml\n@@ -0,0 +1 @@\n+\n')
  })

  test('of texts with nothing in common only counts lines, in bounded time', () => {
    const lines = (prefix: string) => Array.from({ length: 30_000 }, (_, index) => `${prefix}${index}\n`).join('')
    const diff = diffText(path, file(lines('a')), file(lines('b')))
    expect(diff).toBe(
      '--- /etc/web.toml\n+++ /etc/web.toml\n30000 lines → 30000 lines, too many that differ to be shown\n',
    )
    expect(diffText(path, absent, file(`${lines('b')}last`))).toContain('\n0 lines → 30001 lines')
  })
})
