import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

/** Pages whose tables list rooms in order: a room may import those above it, and none below. */
const pages = [
  'src/core/README.md',
  'src/manifest/README.md',
  'src/engine/README.md',
  'providers/process/README.md',
  'providers/scan-directory/README.md',
  'providers/systemd/README.md',
]

/** Rooms of the engine don't import all that is above them: their table says which. */
const loose = 'src/engine/README.md'

test.each(pages)('the linter lets rooms import those above them alone: %s', page => {
  const folder = page.slice(0, page.lastIndexOf('/'))
  const rooms = readRooms(page)
  expect(rooms.length).toBeGreaterThan(2)
  const refused = lint(
    rooms.map(room => ({
      path: `${folder}/${room}/planted.ts`,
      imports: rooms.filter(other => other !== room).map(other => `../${other}/planted.ts`),
    })),
  )
  for (const [index, room] of rooms.entries()) {
    const of = (names: readonly string[]): string[] =>
      names.map(name => `${folder}/${room}/planted.ts: ../${name}/planted.ts`)
    expect(refused).toEqual(expect.arrayContaining(of(rooms.slice(index + 1))))
    if (page !== loose) for (const upper of of(rooms.slice(0, index))) expect(refused).not.toContain(upper)
  }
})

test('the linter enforces the column "may import" of src/README.md', () => {
  const rows = readRows('src/README.md').flatMap(([names = '', , allowed = '']) => {
    const folders = [...names.matchAll(/`(\w+)\/`/g)].map(([, name = '']) => name)
    const words = allowed.includes('each other') ? `${allowed} ${folders.join(' ')}` : allowed
    return folders.map(name => ({ name, allowed: new Set([name, ...(words.match(/\w+/g) ?? [])]) }))
  })
  expect(rows.length).toBeGreaterThan(8)
  const planted = rows.map(({ name }) => {
    // Nothing is beside the rooms of the engine, and the last of them imports the most.
    const [room, root] = name === 'engine' ? ['engine/controller', '../..'] : [name, '..']
    const others = rows.filter(other => other.name !== name)
    return { path: `src/${room}/planted.ts`, imports: others.map(other => `${root}/${other.name}/planted.ts`) }
  })
  const expected = planted.flatMap(({ path, imports }, index) =>
    imports.filter(name => !rows[index]?.allowed.has(name.split('/').at(-2) ?? '')).map(name => `${path}: ${name}`),
  )
  expect(lint(planted)).toEqual(expected.sort())
})

/** Rows that begin with `name/`. */
function readRooms(page: string): string[] {
  return readRows(page).flatMap(([first = '']) => /^`([\w-]+)\/`$/.exec(first)?.[1] ?? [])
}

function readRows(page: string): string[][] {
  const lines = readFileSync(page, 'utf8').split('\n')
  return lines
    .filter(line => line.startsWith('|'))
    .map(line =>
      line
        .split('|')
        .slice(1, -1)
        .map(cell => cell.trim()),
    )
}

interface Planted {
  readonly path: string
  readonly imports: readonly string[]
}

interface LintReport {
  readonly diagnostics: readonly {
    readonly location: { readonly path: string; readonly start: { readonly line: number } }
  }[]
}

/** Refused imports, each as `file: import`, sorted. */
function lint(planted: readonly Planted[]): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-rooms-'))
  try {
    cpSync('biome.json', join(directory, 'biome.json'))
    for (const { path, imports } of planted) {
      mkdirSync(join(directory, path, '..'), { recursive: true })
      writeFileSync(join(directory, path), imports.map(name => `import '${name}'\n`).join(''))
    }
    const program = resolve('node_modules/.bin/biome')
    const options = ['lint', '--only=style/noRestrictedImports', '--reporter=json', '--max-diagnostics=none']
    const { stdout } = spawnSync(program, options, { cwd: directory, encoding: 'utf8' })
    const { diagnostics }: LintReport = JSON.parse(stdout)
    return diagnostics
      .map(({ location: { path, start } }) => {
        const file = planted.find(one => one.path === path)
        return `${path}: ${file?.imports[start.line - 1]}`
      })
      .sort()
  } finally {
    rmSync(directory, { recursive: true })
  }
}
