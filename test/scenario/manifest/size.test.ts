import { describe, expect, test } from 'vitest'
import { createManifestSource } from '../../../src/manifest/manifest-source.ts'
import { facilityText, keepInMemory } from '../../tools/manifest-directory.ts'

const run = 'process: { command: [/bin/true] }'

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

describe('S12: the total size of all manifests of a host is bounded:', () => {
  const mebibyte = 'x'.repeat(1024 * 1024)
  const filesOf = (name: string, count: number, what: string): string =>
    `apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: ${name} }\nspec:\n  ${run}\n  files:\n` +
    numbers(count)
      .map(index => `    - { path: /srv/${name}/${index}, ${what} }\n`)
      .join('')
  const read = (files: Record<string, string>, times = 2) => {
    const source = createManifestSource({
      types: ['process'],
      ...keepInMemory(files),
    })
    const readings = numbers(times).map(() => source.read())
    return readings.map(({ facilities, diagnostics, complete }) => ({
      complete,
      names: facilities.map(({ name }) => name),
      codes: [...new Set(diagnostics.map(({ code, file }) => `${code} ${file.replace(/.*\//, '')}`))],
    }))
  }

  test('one file as the source of thousands', () => {
    const readings = read({
      big: mebibyte,
      'a.yaml': filesOf('a', 100, 'source: ./big'),
      'b.yaml': filesOf('b', 1_000, 'source: ./big'),
      'c.yaml': filesOf('c', 20, 'source: ./big'),
    })
    for (const reading of readings) {
      expect(reading).toEqual({
        complete: false,
        names: ['a', 'c'],
        codes: ['more-problems b.yaml', 'too-much-content b.yaml'],
      })
    }
  })

  test('one text repeated by an alias', () => {
    const repeated = (name: string): string =>
      numbers(30)
        .map(index => {
          const text = filesOf(`${name}${index}`, 100, 'content: *text')
          return text.replace('*text', `&text ${'y'.repeat(30_000)}`)
        })
        .join('---\n')
    const [first, second] = read({
      'a.yaml': repeated('a'),
      'b.yaml': repeated('b'),
      'c.yaml': filesOf('c', 1, 'content: z'),
    })
    expect(first).toMatchObject({ complete: false, codes: ['too-much-content b.yaml'] })
    expect(first?.names).toHaveLength(31)
    expect(second).toEqual(first)
  })

  test('thousands of manifests', () => {
    const comment = `# ${'x'.repeat(1_000_000)}\n`
    const files = Object.fromEntries(
      numbers(140).map(index => [`${String(index).padStart(3, '0')}.yaml`, comment + facilityText(`a${index}`, run)]),
    )
    const [first] = read(files, 1)
    expect(first).toMatchObject({ complete: false, codes: expect.arrayContaining(['too-much-content 139.yaml']) })
    expect(first?.names).toContain('a133')
  })
})
