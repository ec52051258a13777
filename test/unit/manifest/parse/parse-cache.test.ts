import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createParseCache } from '../../../../src/manifest/parse/parse-cache.ts'
import { parseYaml } from '../../../../src/manifest/parse/yaml-document.ts'

const fixtures = join(import.meta.dirname, '../../../fixtures/manifests')
const texts = readdirSync(fixtures, { recursive: true, encoding: 'utf8' })
  .filter(name => /\.(ya?ml|json)$/.test(name))
  .flatMap(name => readQuietly(join(fixtures, name)))

/** Enough texts to be worth caching. */
const many = Array.from({ length: 60 }, (_, index) => `metadata: { name: s${index} }\nspec: { process: [${index}] }\n`)

const paths = [[], ['metadata', 'name'], ['spec'], ['spec', 'process', 'command', 0], ['spec', 'nothing']]

function readQuietly(path: string): string[] {
  try {
    return [readFileSync(path, 'utf8')]
  } catch {
    return [] // a dangling link is a fixture too
  }
}

/** Cache contents that the next process finds. */
function keep(version: string, read: readonly string[]): unknown {
  const cache = createParseCache(version, () => undefined)
  for (const text of read) cache.parse(text)
  const content = cache.close()
  return content && JSON.parse(JSON.stringify(content))
}

/** Everything that can be asked of a parsed text. */
function ask({ documents, problems }: ReturnType<typeof parseYaml>): unknown {
  const found = documents.map(({ value, locate }) => ({
    value,
    located: paths.map(path => [locate(path), locate(path, true)]),
  }))
  return { found, problems }
}

describe('the parse cache', () => {
  test('answers like the parser for any manifest', () => {
    const cache = createParseCache('1', () => keep('1', [...texts, ...many]))
    expect(texts.length).toBeGreaterThan(100)
    for (const text of [...texts, ...many]) expect(ask(cache.parse(text))).toEqual(ask(parseYaml(text)))
  })

  test('answers from its file, and not for another version', () => {
    const content = keep('1', many)
    const told = JSON.parse(JSON.stringify(content).replaceAll('"s7"', '"kept"'))
    const nameOf = (version: string): unknown => {
      const [document] = createParseCache(version, () => told).parse(many[7] ?? '').documents
      return document?.value
    }
    expect(nameOf('1')).toMatchObject({ metadata: { name: 'kept' } })
    expect(nameOf('2')).toMatchObject({ metadata: { name: 's7' } })
  })

  test.each([undefined, null, 7, 'text', [], { version: '1' }, { version: '1', texts: { a: [1], b: [[1, 2]] } }])(
    'ignores a damaged file: %j',
    content => {
      const cache = createParseCache('1', () => content)
      expect(ask(cache.parse(many[0] ?? ''))).toEqual(ask(parseYaml(many[0] ?? '')))
    },
  )

  test('is saved only if it is large, and enough of it is new', () => {
    expect(keep('1', many.slice(0, 49))).toBeUndefined()
    const content = keep('1', many)
    const again = (extra: readonly string[]): unknown => {
      const cache = createParseCache('1', () => content)
      for (const text of [...many.slice(extra.length), ...extra]) cache.parse(text)
      return cache.close()
    }
    expect(again([])).toBeUndefined()
    expect(again(['a: 1', 'a: 2'])).toBeUndefined()
    const kept = again(['a: 1', 'a: 2', 'a: 3'])
    expect(JSON.stringify(kept)).toContain('"a":3')
    // Vanished texts are dropped.
    expect(JSON.stringify(kept)).not.toContain('"s0"')
  })

  test('leaves texts with numbers that JSON cannot express to the parser', () => {
    const odd = 'metadata: { name: s0 }\nspec: [.inf, -0.0, .nan]\n'
    const cache = createParseCache('1', () => keep('1', [...many, odd]))
    expect(cache.parse(odd).documents[0]?.value).toEqual(parseYaml(odd).documents[0]?.value)
  })
})
