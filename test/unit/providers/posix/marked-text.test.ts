import { expect, test } from 'vitest'
import { defineTexts, readTexts } from '../../../../providers/posix/marked-text.ts'

const ownership = { owner: 'one', facility: 'web', files: ['/etc/web.conf'], dependsOn: [], prune: true }
const texts = [
  { path: '/etc/monit.d/web', text: 'check process web\n', mode: 0o600 },
  { path: '/etc/monit.d/web.sh', text: '# starts it\nexec web\n', mode: 0o700 },
]

test('each file begins with the marker, which the digest leaves out', () => {
  const { files, digest } = defineTexts(texts, ownership)
  expect(files.map(({ content }) => content)).toEqual(
    texts.map(({ text }) => `# reeve: ${JSON.stringify(ownership)}\n${text}`),
  )
  expect(readTexts(files.map(({ content }) => content))).toEqual({ ownership, digest })
  const other = defineTexts(texts, { ...ownership, owner: 'another' })
  expect(other.digest).toBe(digest)
  expect(other.files).not.toEqual(files)
})

test('a comment is what the supervisor takes for one', () => {
  const { files, digest } = defineTexts(texts.slice(0, 1), ownership, ';')
  const contents = files.map(({ content }) => content)
  expect(contents[0]).toMatch(/^; reeve: \{/)
  expect(readTexts(contents, ';')).toEqual({ ownership, digest })
  expect(readTexts(contents)?.ownership).toBeUndefined()
})

test.each([
  ['a text of somebody else', 'check process web\n'],
  ['a marker that was edited', '# reeve: {"owner": 1}\ncheck process web\n'],
  ['a marker cut off', '# reeve: {"owner"'],
  ['an empty file', ''],
])('%s has no owner, and a digest of its own', (_name, content) => {
  const found = readTexts([content])
  expect(found).toEqual({ digest: expect.stringMatching(/^[0-9a-f]{64}$/) })
  expect(found?.digest).not.toBe(defineTexts(texts, ownership).digest)
})

test('a definition whose first file is missing is none, and one that lacks another has another digest', () => {
  const { files, digest } = defineTexts(texts, ownership)
  expect(readTexts([undefined, files[1]?.content])).toBeUndefined()
  const found = readTexts([files[0]?.content, undefined])
  expect(found?.ownership).toEqual(ownership)
  expect(found?.digest).not.toBe(digest)
})
