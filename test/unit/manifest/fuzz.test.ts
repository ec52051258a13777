import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { facility as isFacilityManifest } from '#schemas/compiled/facility.js'
import { type ParsedManifest, parseManifest } from '../../../src/manifest/parse/manifest-file.ts'
import { exceedsDepth } from '../../../src/manifest/parse/yaml-depth.ts'
import { parseYaml } from '../../../src/manifest/parse/yaml-document.ts'
import { assertReported, openPropertyReport } from '../../runner/reported-property.ts'
import { drawRuns } from '../../runner/sample.ts'
import { facilityText, loadFiles } from '../../tools/manifest-directory.ts'

const report = openPropertyReport(
  'fuzz-manifests',
  'Fuzz: whatever a manifest holds gives diagnostics, and nothing is thrown',
)

const runs = drawRuns(250, 1_000)

const valid = `apiVersion: reeve/v1
kind: Facility
metadata: { name: web, labels: { tier: front } }
spec:
  process:
    command: [/usr/bin/node, server.js]
    environment: { PORT: "8080", TOKEN: { fromFile: /etc/web/token } }
    limits: { nofile: 65536 }
    stop: { signal: TERM, timeout: 10s }
  config: { process: { a: [1, 2, { b: &x c }], d: *x } }
  files: [{ path: /etc/web.toml, content: "a", mode: "0640" }]
  health: { http: { url: "http://127.0.0.1:8080/" }, interval: 10s }
  dependsOn: [db]
`

/** Building blocks of YAML. */
const tokens = [
  ...'{}[],:-?&*!|>%@`#"\'\n\t \\~<=',
  '---\n',
  '...\n',
  '<<: ',
  '!!',
  '%YAML 1.1\n',
  '\ufeff',
  '\u0000',
  '\r',
  '\u2028',
]

describe('S6: reading any file gives diagnostics and never throws:', () => {
  test('arbitrary bytes', () => {
    assertReported(
      report,
      fc.property(fc.uint8Array({ maxLength: 300 }), bytes => checkOutcome(parse(bytes))),
      runs,
    )
  })

  test('arbitrary text of YAML building blocks', () => {
    const word = fc.oneof(fc.constantFrom(...tokens), fc.constantFrom('a', 'kind', '1', 'null', 'true'), fc.string())
    assertReported(
      report,
      fc.property(fc.array(word, { maxLength: 60 }), words => checkOutcome(parse(words.join('')))),
      runs,
    )
  })

  test('a valid manifest with pieces removed, doubled and inserted', () => {
    const edit = fc.record({
      at: fc.nat(valid.length),
      cut: fc.nat(20),
      put: fc.oneof(fc.constantFrom(...tokens), fc.string({ maxLength: 5 })),
    })
    assertReported(
      report,
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), edits => {
        let text = valid
        for (const { at, cut, put } of edits) text = text.slice(0, at) + put + text.slice(at + cut)
        checkOutcome(parse(text))
      }),
      runs,
    )
  })

  test('a valid manifest cut off anywhere', () => {
    for (let length = 0; length < valid.length; length++) checkOutcome(parse(valid.slice(0, length)))
  })

  test('a valid manifest with any value replaced by any other', () => {
    const [document] = parseYaml(valid).documents
    const paths = [...leaves(document?.value, [])]
    assertReported(
      report,
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const changed = structuredClone(document?.value)
        put(changed, path, value)
        const outcome = parse(JSON.stringify(changed))
        checkOutcome(outcome)
        // A value that the schema refuses is reported, and one that it accepts only for what the schema can't express.
        if (!isFacilityManifest(changed)) expect(outcome.diagnostics.length).toBeGreaterThan(0)
      }),
      runs,
    )
  })

  test('an arbitrary file read along with another one', () => {
    assertReported(
      report,
      fc.property(fc.nat(valid.length), fc.string({ maxLength: 8 }), (at, text) => {
        const broken = valid.slice(0, at) + text + valid.slice(at + text.length)
        const set = loadFiles({ 'a.yaml': broken, 'b.yaml': facilityText('db') }, { types: ['process'] })
        // A mistake may give the likeness of another type in `spec.config`, which is a warning only.
        expect(set.complete).toBe(!set.diagnostics.some(({ severity }) => severity === 'error'))
        expect(set.facilities.map(({ name }) => name)).toContain('db')
      }),
      drawRuns(80, 300),
    )
  })
})

describe('plain data is read unchanged:', () => {
  test('JSON gives the same as JSON.parse', () => {
    assertReported(
      report,
      fc.property(fc.jsonValue({ maxDepth: 5 }), value => {
        const text = JSON.stringify(value)
        const { documents, problems } = parseYaml(text)
        fc.pre(problems.length === 0)
        if (value === null) expect(documents).toEqual([])
        else expect(JSON.stringify(documents[0]?.value)).toBe(JSON.stringify(JSON.parse(text)))
      }),
      runs,
    )
  })

  test('the depth of n brackets is n', () => {
    for (const depth of [1, 50, 199, 200]) {
      expect(exceedsDepth(`${'['.repeat(depth)}${']'.repeat(depth)}`, 200)).toBe(false)
      expect(exceedsDepth(`${'{a: '.repeat(depth)}1${'}'.repeat(depth)}`, 200)).toBe(false)
    }
    for (const deep of ['['.repeat(201), '{a: '.repeat(201), '- '.repeat(201), '? '.repeat(201)]) {
      expect(exceedsDepth(deep, 200)).toBe(true)
    }
    const wide = `a: [${'[1], '.repeat(5000)}]\nb: "${'['.repeat(5000)}"\nc: |\n${' '.repeat(500)}text\n`
    expect(exceedsDepth(wide, 200)).toBe(false)
    const stairs = Array.from({ length: 300 }, (_, level) => `${' '.repeat(level)}a:`).join('\n')
    expect(exceedsDepth(stairs, 200)).toBe(true)
  })
})

function parse(content: string | Uint8Array): ParsedManifest {
  return parseManifest('web.yaml', typeof content === 'string' ? Buffer.from(content) : content, {
    resolvePath: path => path,
    readSource: () => new Uint8Array(),
  })
}

/** Asserts that diagnostics are printable and point into the file, and that facilities are complete. */
function checkOutcome({ diagnostics, facilities }: ParsedManifest): void {
  for (const { line, column, code, message, excerpt } of diagnostics) {
    expect(code).toMatch(/^[a-z][a-z0-9-]+$/)
    expect(message).not.toMatch(/undefined|NaN|\[object|\p{Cc}/u)
    expect(excerpt === undefined).toBe(line === 0)
    expect(Math.min(line, column)).toBeGreaterThanOrEqual(0)
  }
  for (const { value } of facilities) expect(value.name).toMatch(/^[A-Za-z0-9]/)
}

type Path = readonly (string | number)[]

function* leaves(value: unknown, path: Path): Generator<Path> {
  if (path.length > 0) yield path
  if (typeof value !== 'object' || value === null) return
  for (const [key, child] of Object.entries(value)) yield* leaves(child, [...path, key])
}

function put(root: unknown, path: Path, value: unknown): void {
  let node = root
  for (const part of path.slice(0, -1)) if (typeof node === 'object' && node !== null) node = Reflect.get(node, part)
  if (typeof node === 'object' && node !== null) Reflect.set(node, path.at(-1) ?? '', value)
}
