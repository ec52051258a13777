import { lstatSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classifyEntry, findLinkProblem } from '../../../src/source/tree-rules.ts'

describe('an entry of a tree', () => {
  test.each([
    ['100644', 'file'],
    ['100755', 'program'],
    ['120000', 'symlink'],
    ['40000', 'directory'],
  ])('of mode %s is a %s', (mode, kind) => {
    expect(classifyEntry({ mode, name: 'web.yaml', id: '' }, 'a')).toEqual({ kind })
  })

  test.each(['', '.', '..', '.git', '.GIT', 'a/b', 'x'.repeat(256), undefined])('named %j is refused', name => {
    expect(classifyEntry({ mode: '100644', name, id: '' }, 'a')).toHaveProperty('problem')
  })

  test.each(['160000', '100666', '0', ''])('of mode %j is refused', mode => {
    expect(classifyEntry({ mode, name: 'x', id: '' }, 'a')).toHaveProperty('problem')
  })
})

test('that is an accepted symlink leads only into the tree, whatever other links it contains', () => {
  const part = fc.constantFrom('a', 'b', 'c', 'l1', 'l2', '..', '.', '')
  const target = fc.array(part, { minLength: 1, maxLength: 5 }).map(parts => parts.join('/'))
  const links = fc.dictionary(
    fc.constantFrom('l1', 'l2', 'a/l1', 'a/b/l2', 'c', 'b'),
    fc.oneof(target, fc.constantFrom('..', '../..', 'a/l1/..', 'a/b/l2/..', 'l2/..', 'c/../..')),
  )
  fc.assert(
    fc.property(links, found => {
      const root = realpathSync(mkdtempSync(join(tmpdir(), 'reeve-tree-')))
      const tree = join(root, 'tree')
      try {
        mkdirSync(join(tree, 'a/b'), { recursive: true })
        writeFileSync(join(tree, 'a/file'), '')
        const accepted = Object.entries(found).filter(([path, to]) => findLinkProblem(path, to) === undefined)
        for (const [path, to] of accepted) {
          if (lstatSync(dirname(join(tree, path)), { throwIfNoEntry: false })?.isDirectory())
            symlinkSync(to, join(tree, path))
        }
        for (const [path] of accepted) {
          const place = tryRealPath(join(tree, path))
          if (place !== undefined) expect(`${place}/`).toMatch(new RegExp(`^${tree}/`))
        }
      } finally {
        rmSync(root, { recursive: true })
      }
    }),
    // Each leads to the top or below it by its words, and both together lead out.
    { examples: [[{ 'a/l1': '..', l1: 'a/l1/..' }]] },
  )
})

function tryRealPath(path: string): string | undefined {
  try {
    // As the kernel goes; the other one takes `..` of a link's words away before it follows them.
    return realpathSync.native(path)
  } catch {
    return undefined
  }
}
