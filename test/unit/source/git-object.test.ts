import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type GitObject, parseBatch, parseCommit, parseTree } from '../../../src/source/git-object.ts'

const idOf = (type: string, content: Uint8Array): string =>
  createHash('sha1').update(`${type} ${content.byteLength}\0`).update(content).digest('hex')

function answer(type: GitObject['type'], content: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from(`${idOf(type, content)} ${type} ${content.byteLength}\n`),
    content,
    Buffer.from('\n'),
  ])
}

const missing = 'deadbeef'.repeat(5)

describe('the output of git cat-file --batch', () => {
  test('gives the contents unchanged, in that order', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.uint8Array({ maxLength: 200 }), { nil: undefined })), contents => {
        const output = contents.map(content =>
          content ? answer('blob', content) : Buffer.from(`${missing} missing\n`),
        )
        const parsed = parseBatch(Buffer.concat(output))
        expect(parsed.map(one => ('type' in one ? [...one.content] : undefined))).toEqual(
          contents.map(content => content && [...content]),
        )
      }),
    )
  })

  test('is refused if any byte of a content differs', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 50 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (content, at, by) => {
          const output = answer('blob', content)
          const place = output.length - 1 - content.length + (at % content.length)
          output[place] = (output[place] ?? 0) ^ by
          expect(() => parseBatch(output)).toThrow('the local copy of the repository is corrupt')
        },
      ),
    )
  })

  test.each([1, 10, 45, 60])('is refused when it ends after %i bytes', length => {
    expect(() => parseBatch(answer('blob', Buffer.alloc(20, 'x')).subarray(0, length))).toThrow('its answer ends early')
  })
})

describe('a tree', () => {
  const entry = (mode: string, name: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from(`${mode} `), name, Buffer.from([0]), Buffer.from(missing, 'hex')])

  test('gives its entries, and no name for invalid UTF-8', () => {
    const content = Buffer.concat([entry('100644', Buffer.from('wéb.yaml')), entry('40000', Buffer.from([0xff, 0xfe]))])
    expect(parseTree({ id: idOf('tree', content), type: 'tree', content })).toEqual([
      { mode: '100644', name: 'wéb.yaml', id: missing },
      { mode: '40000', name: undefined, id: missing },
    ])
  })

  test('is refused when it ends early', () => {
    const content = entry('100644', Buffer.from('web.yaml'))
    for (let length = 1; length < content.length; length += 1) {
      const part = content.subarray(0, length)
      expect(() => parseTree({ id: idOf('tree', part), type: 'tree', content: part })).toThrow('ends early')
    }
  })
})

test('a commit gives its tree, parents, author, time and subject', () => {
  const content = Buffer.from(
    `tree ${missing}\nparent ${missing}\nauthor Ada <a@b> 1700000000 +0100\ncommitter Bob <b@c> 1700000060 -0500\ngpgsig -----BEGIN\n tree x\n\nAdd web\n\ntree y\n`,
  )
  expect(parseCommit({ id: idOf('commit', content), type: 'commit', content })).toEqual({
    tree: missing,
    parents: [missing],
    author: 'Ada <a@b>',
    time: 1_700_000_060_000,
    subject: 'Add web',
  })
})

test('a commit gives no more of its texts than a line, and a time that has a date', () => {
  const long = 'x'.repeat(1_000_000)
  const content = Buffer.from(
    `tree ${missing}\nauthor ${long} <a@b> 1700000000 +0100\ncommitter Bob <b@c> 99999999999999 +0000\n\n${long}\n`,
  )
  const { author, subject, time } = parseCommit({ id: idOf('commit', content), type: 'commit', content })
  expect([author.length, subject]).toEqual([1_000, `${'x'.repeat(999)}…`])
  expect(new Date(time).toISOString()).toBe('+275760-09-13T00:00:00.000Z')
})
