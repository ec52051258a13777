import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { planMarkdown } from '../../../src/cli/plan-markdown.ts'
import type { FacilityPlan, Plan } from '../../../src/core/plan/step.ts'

const noChange = { add: 0, change: 0, repair: 0, remove: 0, unchanged: 0, blocked: 0 }

function planOf(facilities: readonly FacilityPlan[], more: Partial<Plan> = {}): Plan {
  const summary = { ...noChange, change: facilities.length }
  return { formatVersion: 1, digest: '0'.repeat(64), facilities, summary, diagnostics: [], ...more }
}

function changed(name: string, diff: string, more: Partial<FacilityPlan> = {}): FacilityPlan {
  const steps: FacilityPlan['steps'] = [
    { id: `${name}/install`, verb: 'install', reason: 'definition-changed', needs: [], diff },
    { id: `${name}/restart`, verb: 'restart', reason: 'definition-changed', needs: [`${name}/install`] },
  ]
  return { name, supervisor: 'systemd', service: name, change: 'change', steps, ...more }
}

/** Lines as Markdown has them: which stand in a code block, and which don't. */
function readMarkdown(text: string): { code: string[]; other: string[] } {
  const [code, other]: [string[], string[]] = [[], []]
  let fence: string | undefined
  for (const line of text.split('\n')) {
    const [, run] = /^ {0,3}(`{3,})[a-z]*\s*$/.exec(line) ?? []
    if (fence === undefined && run !== undefined) fence = run
    else if (fence !== undefined && run !== undefined && run.length >= fence.length) fence = undefined
    else if (fence === undefined) other.push(line)
    else code.push(line)
  }
  expect(fence).toBeUndefined()
  return { code, other }
}

/** Of lines outside of code blocks, nothing but our own words stands outside of `<code>`. */
function expectOnlyOurs(lines: readonly string[]): void {
  const [marker = '', ...rest] = lines
  expect(marker).toMatch(/^<!-- reeve plan: (?:(?!--)[A-Za-z0-9._/ -])* -->$/)
  for (const line of rest) {
    const bare = line.replaceAll(/<code>[^<>]*<\/code>/g, '')
    expect(bare).toMatch(/^(?:<\/?(?:b|h3|p|details|summary)>|[A-Za-z0-9 ,.:()~+!-])*$/)
  }
}

test('a plan is a comment with a line that finds it again, a summary, and a block for each facility', () => {
  const diff = '--- /etc/web\n+++ /etc/web\n@@ -1 +1 @@\n-a\n+b\n'
  const blocked: FacilityPlan = { ...changed('db', ''), change: 'none', steps: [], blocked: 'there is no\nuser db' }
  const plan = planOf([blocked, changed('web', diff), { ...changed('idle', ''), change: 'none', steps: [] }], {
    summary: { ...noChange, change: 1, blocked: 1, unchanged: 1 },
    diagnostics: [{ file: 'a.yaml', line: 1, column: 1, severity: 'warning', code: 'cannot-start', message: 'beware' }],
  })
  expect(planMarkdown(plan, { name: 'hosts/shop', notes: ['Compared with commit 123.'] })).toMatchInlineSnapshot(`
    "<!-- reeve plan: hosts/shop -->
    <h3>Plan for <code>hosts/shop</code></h3>
    <p><b>Plan: 0 to add, 1 to change, 0 to repair, 0 to remove, 1 unchanged, 1 blocked.</b></p>

    <p><code>Compared with commit 123.</code></p>

    <details><summary>1 warning</summary>

    \`\`\`
    a.yaml:1:1  warning  cannot-start  beware
    \`\`\`

    </details>

    <details><summary>blocked: <code>db</code> (<code>systemd</code>)</summary>

    \`\`\`diff
    blocked: there is no user db
    \`\`\`

    </details>

    <details><summary>~ <code>web</code> (<code>systemd</code>): install, restart</summary>

    \`\`\`diff
    install: its definition changed in the manifest
    --- /etc/web
    +++ /etc/web
    @@ -1 +1 @@
    -a
    +b
    restart: its definition changed in the manifest
    \`\`\`

    </details>
    "
  `)
})

test('invalid manifests are a comment with what is wrong, and no plan', () => {
  const diagnostics: Plan['diagnostics'] = [
    { file: 'a.yaml', line: 1, column: 2, severity: 'error', code: 'unknown-field', message: 'no such field' },
  ]
  const text = planMarkdown(planOf([changed('web', '+x\n')], { diagnostics }), { name: 'x' })
  expect(text).toContain('<p><b>The manifests are not valid.</b></p>')
  expect(text).toMatch(
    /<summary>1 error<\/summary>\n\n```\na\.yaml:1:2 {2}error {2}unknown-field {2}no such field\n```\n/,
  )
  expect(text).not.toContain('web')
})

describe('text from outside', () => {
  const nasty = fc
    .array(
      fc.constantFrom(
        ...['```', '`````', '~~~', '\n', '\r', '\n\n', '</details>', '<script>', '-->', '--', '&', '"', '@team', '#1'],
        ...[
          '/close',
          '\n/approve',
          '[x](y)',
          '![](z)',
          ':tada:',
          '\u202e',
          '\u2028',
          ' ',
          '    ',
          'a',
          '|',
          '***',
          '\\',
        ],
      ),
      { maxLength: 12 },
    )
    .map(parts => parts.join(''))

  test('is in code alone, and ends no code block', () => {
    const hostile = fc.record({
      diff: nasty,
      name: nasty,
      message: nasty,
      path: nasty,
      title: nasty,
      fence: fc.nat({ max: 9 }),
    })
    fc.assert(
      fc.property(hostile, ({ diff, name, message, path, title, fence }) => {
        const lines = `${diff}\n${'`'.repeat(fence)}`
        const facility = changed(name, lines, {
          kept: [{ path, why: message }],
          renamedFrom: path,
          supervisor: message,
        })
        const blocked = { ...facility, change: 'none' as const, blocked: message, steps: [] }
        const text = planMarkdown(
          planOf([facility, blocked], {
            diagnostics: [
              { file: path, line: 1, column: 1, severity: 'warning', code: 'x', message, excerpt: `${diff}\n^` },
            ],
            troubles: [{ facility: name, reason: 'Failed', message }],
          }),
          { name: title, notes: [message], suspended: [{ facility: name, state: 'running', declared: 'running' }] },
        )
        const { code, other } = readMarkdown(text)
        expectOnlyOurs(other)
        for (const line of code) expect(line).not.toMatch(/^\/|[\r\u2028\u202e]/)
      }),
    )
  })
})

describe('a plan that is too long', () => {
  test('never makes a longer comment, and names or counts every facility', () => {
    const lengths = fc.array(fc.nat({ max: 400 }), { minLength: 1, maxLength: 60, size: 'max' })
    fc.assert(
      fc.property(lengths, fc.integer({ min: 500, max: 20_000 }), (all, longest) => {
        const facilities = all.map((lines, index) => changed(`web-${index}`, '+line\n'.repeat(lines)))
        const text = planMarkdown(planOf(facilities), { name: 'x', longest })
        expect(text.length).toBeLessThanOrEqual(longest)
        readMarkdown(text)
        const [, left = '0'] = /(\d+) parts? (?:is|are) left out/.exec(text) ?? []
        expect(text.match(/<code>web-\d+<\/code>/g)?.length ?? 0).toBe(facilities.length - Number(left))
      }),
    )
  })

  test('keeps the contents of as many facilities as it can, and says of which they are left out', () => {
    const text = planMarkdown(planOf([changed('large', '+x\n'.repeat(40_000)), changed('small', '+one line\n')]), {
      name: 'x',
    })
    expect(text.length).toBeLessThan(65_536)
    expect(text).toContain('+one line')
    expect(text).not.toContain('+x')
    expect(text).toMatch(
      /<code>large<\/code>[\s\S]*The contents are left out: the plan is too long\.[\s\S]*<code>small<\/code>/,
    )
  })

  test('leaves contents out where only a brief one is wanted', () => {
    const text = planMarkdown(planOf([changed('web', '+x\n')]), { name: 'x', brief: true })
    expect(text).toContain('install: its definition changed in the manifest\nrestart:')
  })
})
