// Checks that docs/design.md and the rest of the repository agree: every cited number is defined there, every rule is cited
// by a test, and every page and file that prose names exists.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const root = join(import.meta.dirname, '..')
const page = 'docs/design.md'
const text = readFileSync(join(root, page), 'utf8')

const rules = new Set([...text.matchAll(/^- \*\*([ES]\d+)\./gm)].map(([, rule]) => rule))
const section = text.slice(text.indexOf('## Pitfalls'), text.indexOf('## Facts'))
const pitfalls = new Set([...section.matchAll(/^(\d+)\. /gm)].map(([, number]) => `PITFALLS ${number}`))

const folders = ['src', 'providers', 'schemas', 'test', 'docs', 'manifests']
const inFolders = folders.flatMap(folder =>
  readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .map(({ parentPath, name }) => relative(root, join(parentPath, name))),
)
const files = [...inFolders, 'README.md', 'CHANGELOG.md'].filter(
  file => /\.(ts|mjs|cjs|md|json|sh)$/.test(file) && !/\/(compiled|report)\//.test(file) && file !== page,
)

const problems = []
const tested = new Set()
for (const file of files) {
  readFileSync(join(root, file), 'utf8')
    .split('\n')
    .forEach((line, index) => {
      const place = `${file}:${index + 1}`
      for (const [citation] of line.matchAll(/\b[ES][1-9]\d?\b(?![-.\d]|%)|\bPITFALLS \d+/g)) {
        if (!rules.has(citation) && !pitfalls.has(citation))
          problems.push(`${place}: ${citation} is not defined in ${page}`)
        if (file.startsWith('test/')) tested.add(citation)
      }
      for (const [name] of line.matchAll(/\b[A-Z]{4,}\.md\b/g)) {
        if (!files.some(each => each.endsWith(name)) && name !== 'README.md')
          problems.push(`${place}: there is no ${name}`)
      }
    })
}
for (const rule of rules) {
  if (!tested.has(rule)) problems.push(`${page}: no test cites ${rule}`)
}
for (const problem of problems) process.stderr.write(`${problem}\n`)
if (problems.length > 0) process.exitCode = 1
