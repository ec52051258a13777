import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openReport } from '../../runner/report.ts'
import { type BundledProgram, bundleProgram } from '../../tools/bundled-program.ts'

let child: BundledProgram
let root = ''
beforeAll(async () => {
  child = await bundleProgram(new URL('../children/crashing-writer.ts', import.meta.url))
  root = mkdtempSync(join(tmpdir(), 'reeve-crash-'))
})
afterAll(() => {
  child[Symbol.dispose]()
  rmSync(root, { recursive: true })
})

const report = openReport('crash-host', 'SIGKILL at the effects of writing files', ['SCENARIO', 'POINTS'])

function prepare(name: string): string {
  const directory = join(root, name)
  mkdirSync(directory)
  writeFileSync(join(directory, 'file'), 'old')
  writeFileSync(join(directory, 'dropped'), '')
  return directory
}

function write(directory: string, moment = 0): { signal: string | null; count: number } {
  const args = [child.path, directory, 'new content', String(moment)]
  const { signal, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return { signal, count: Number(stdout) }
}

function snapshot(directory: string): Record<string, string> {
  const entries: Record<string, string> = {}
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const facts = statSync(join(directory, name))
    const content = facts.isFile() ? readFileSync(join(directory, name), 'utf8') : ''
    entries[name] = `${(facts.mode & 0o7777).toString(8)} ${content}`
  }
  return entries
}

test('E4, S7: a write killed before or after any effect and run again ends as without the crash', () => {
  const undisturbed = prepare('undisturbed')
  const { count } = write(undisturbed)
  // Two directories made, one file removed, and three effects of each of two files.
  expect(count).toBe(2 * (2 + 1 + 3 + 3))
  const expected = snapshot(undisturbed)
  expect(expected).toEqual({
    file: '640 new content',
    made: '755 ',
    'made/here': '750 ',
    'made/here/file': '604 new content',
  })
  for (let moment = 1; moment <= count; moment += 1) {
    const directory = prepare(String(moment))
    expect(write(directory, moment).signal, `moment ${moment}`).toBe('SIGKILL')
    expect(['old', 'new content']).toContain(readFileSync(join(directory, 'file'), 'utf8'))
    write(directory)
    expect(snapshot(directory), `moment ${moment}`).toEqual(expected)
  }
  report.add('two directories made, one file removed, two written', count)
})
