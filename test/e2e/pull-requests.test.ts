import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type CliFixture, openCliFixture, reevePath, sleeper } from '../labs/cli-fixture.ts'
import { type ForgeLab, forgeToken, forgeUser, openForgeLab } from '../labs/forge-lab.ts'

const project = resolve(import.meta.dirname, '../..')
const ci = join(project, 'docs/ci')

interface Step {
  readonly name: string
  readonly if?: string
  readonly env?: Readonly<Record<string, string>>
  readonly run: string
}

interface Action {
  readonly inputs: Readonly<Record<string, { readonly default?: string; readonly description: string }>>
  readonly runs: { readonly using: string; readonly steps: readonly Step[] }
}

const action: Action = parse(readFileSync(join(ci, 'github/action.yml'), 'utf8'))
const template = parse(readFileSync(join(ci, 'gitlab/plan.yml'), 'utf8'))['.reeve-plan']
const page = readFileSync(join(project, 'docs/pull-requests.md'), 'utf8')

interface PullRequest {
  readonly fixture: CliFixture
  readonly base: string
  head(): string
  git(...args: string[]): string
  commit(text: string): void
}

/** A checkout of a branch that starts from main. */
function openPullRequest(): PullRequest {
  const fixture = openCliFixture({ 'web.yaml': sleeper('web') })
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', fixture.directory, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', ...args], {
      encoding: 'utf8',
    }).trim()
  fixture.write('.gitignore', '/tmp\n/state\n')
  git('init', '--quiet', '--initial-branch=main')
  git('add', '--all')
  git('commit', '--quiet', '--message', 'Add web')
  mkdirSync(fixture.path('tmp'))
  const base = git('rev-parse', 'HEAD')
  git('checkout', '--quiet', '-b', 'change')
  const commit = (text: string): void => {
    fixture.write('manifests/new.yaml', text)
    git('add', '--all')
    git('commit', '--quiet', '--message', 'Change')
  }
  commit(sleeper('new'))
  return { fixture, base, head: () => git('rev-parse', 'HEAD'), git, commit }
}

interface Ran {
  readonly status: number
  readonly output: string
  readonly summary: string
}

/** Carries out the steps of the action as a runner of GitHub does. */
async function runAction(
  { fixture, base, head }: PullRequest,
  forge: ForgeLab,
  given: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const [temp, summary] = [fixture.path('tmp'), fixture.path('tmp/summary')]
  rmSync(summary, { force: true })
  const github = {
    token: forgeToken,
    event: { pull_request: { number: 7, base: { sha: base }, head: { sha: head() } } },
  }
  const evaluate = (text: string, inputs: object): string =>
    text.replace(/\$\{\{(.*?)\}\}/g, (_all, expression: string) =>
      String(runInNewContext(expression, { inputs, github, runner: { temp }, always: () => true })),
    )
  const inputs = Object.fromEntries(
    Object.entries(action.inputs).map(([name, { default: text = '' }]) => [name, given[name] ?? evaluate(text, {})]),
  )
  const common = {
    GITHUB_ACTION_PATH: join(ci, 'github'),
    GITHUB_API_URL: forge.url,
    GITHUB_REPOSITORY: 'team/hosts',
    GITHUB_STEP_SUMMARY: summary,
  }
  let [status, output] = [0, '']
  for (const step of action.runs.steps) {
    const isWanted =
      status === 0 ? step.if === undefined || evaluate(`\${{${step.if}}}`, inputs) === 'true' : step.if === 'always()'
    if (!isWanted) continue
    const env = Object.fromEntries(Object.entries(step.env ?? {}).map(([name, text]) => [name, evaluate(text, inputs)]))
    const ended = await runScript(fixture, step.run, { ...common, ...env })
    output += ended.output
    if (status === 0) status = ended.status
  }
  return { status, output, summary: existsSync(summary) ? readFileSync(summary, 'utf8') : '' }
}

async function runScript(
  fixture: CliFixture,
  script: string,
  env: Readonly<Record<string, string>>,
): Promise<Pick<Ran, 'status' | 'output'>> {
  const path = process.env.PATH ?? ''
  const words = [
    '-C',
    fixture.directory,
    `PATH=${path}`,
    `HOME=${fixture.directory}`,
    ...Object.entries(env).map(pair => pair.join('=')),
  ]
  const { exitCode, stdout, stderr } = await fixture.startProgram('env', ['-i', ...words, 'sh', '-ec', script]).ended
  return { status: exitCode ?? -1, output: stdout + stderr }
}

/** Carries out the job as a runner of GitLab does, with a copy of this repository that has been built. */
function runJob(
  { fixture, base, head }: PullRequest,
  forge: ForgeLab,
  { token = forgeToken, ...given }: { readonly token?: string; readonly [name: string]: string | undefined } = {},
): Promise<Pick<Ran, 'status' | 'output'>> {
  const reeve = fixture.path('tmp/reeve')
  if (!existsSync(reeve)) {
    cpSync(ci, join(reeve, 'docs/ci'), { recursive: true })
    mkdirSync(join(reeve, 'dist'))
    writeFileSync(join(reeve, 'dist/reeve.cjs'), `require(${JSON.stringify(reevePath)})\n`)
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', reeve, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', ...args])
    git('init', '--quiet', '--initial-branch=v1')
    git('add', '--all', '--force')
    git('commit', '--quiet', '--message', 'Built')
  }
  return runScript(fixture, template.script.join('\n'), {
    ...template.variables,
    TMPDIR: fixture.path('tmp'),
    REEVE_REPOSITORY: `file://${reeve}`,
    REEVE_VERSION: 'v1',
    REEVE_TOKEN: token,
    CI_API_V4_URL: forge.url,
    CI_MERGE_REQUEST_PROJECT_ID: 'team/hosts',
    CI_MERGE_REQUEST_IID: '7',
    CI_MERGE_REQUEST_DIFF_BASE_SHA: base,
    CI_MERGE_REQUEST_SOURCE_BRANCH_SHA: head(),
    ...given,
  })
}

const marker = '<!-- reeve plan: manifests -->'

describe.each([
  ['the action of GitHub', runAction, 'PATCH /repos/team/hosts/issues/comments/100'],
  ['the job of GitLab', runJob, 'PUT /projects/team%2Fhosts/merge_requests/7/notes/100'],
] as const)('%s', (_name, run, update) => {
  test('posts the plan of a pull request, then updates its comment', async () => {
    await using forge = await openForgeLab()
    const pull = openPullRequest()
    const first = await run(pull, forge)
    expect(first, first.output).toMatchObject({ status: 0 })
    expect(forge.comments).toMatchObject([{ author: forgeUser, body: expect.stringMatching(`^${marker}\n`) }])
    expect(forge.comments[0]?.body).toContain('<summary>+ <code>new</code>')
    pull.commit(sleeper('newer'))
    const second = await run(pull, forge)
    expect(second, second.output).toMatchObject({ status: 0 })
    expect(forge.comments).toHaveLength(1)
    expect(forge.comments[0]?.body).toContain('<summary>+ <code>newer</code>')
    expect(forge.changes.at(-1)).toBe(update)
    expect(first.output + second.output).not.toContain(forgeToken)
  })

  test('leaves comments alone that others have made to look like its own, also beyond the first hundred', async () => {
    await using forge = await openForgeLab()
    const pull = openPullRequest()
    for (let count = 0; count < 120; count += 1) forge.add('mallory', `${marker}\nforged`)
    forge.add(forgeUser, '<!-- reeve plan: manifests on other.yaml -->\nof another host')
    await run(pull, forge)
    await run(pull, forge)
    expect(forge.comments).toHaveLength(122)
    expect(forge.comments.filter(({ body }) => body.includes('<code>new</code>'))).toHaveLength(1)
    expect(forge.comments[121]?.author).toBe(forgeUser)
  })

  test('posts what is wrong with invalid manifests, and fails', async () => {
    await using forge = await openForgeLab()
    const pull = openPullRequest()
    pull.commit('kind: Nothing\n')
    expect((await run(pull, forge)).status).toBe(1)
    expect(forge.comments[0]?.body).toContain('The manifests are not valid.')
  })

  test('posts a plan that is longer than a comment may be, without some of its parts', async () => {
    await using forge = await openForgeLab()
    const pull = openPullRequest()
    const names = Array.from({ length: 1_500 }, (_, index) => `service-${index}`)
    pull.commit(names.map(name => sleeper(name)).join('---\n'))
    const { status, output } = await run(pull, forge)
    expect({ status, output }).toMatchObject({ status: 0 })
    expect(forge.comments[0]?.body).toMatch(/ parts are left out: the plan is too long\.<\/p>\n$/)
    expect(forge.comments[0]?.body).toContain('Plan: 1500 to add, ')
  })

  test('compares with what a pull request is merged into, where the forge has merged it', async () => {
    await using forge = await openForgeLab()
    const pull = openPullRequest()
    const head = pull.head()
    pull.git('checkout', '--quiet', '--detach', 'main')
    pull.fixture.write('manifests/meanwhile.yaml', sleeper('meanwhile'))
    pull.git('add', '--all')
    pull.git('commit', '--quiet', '--message', 'Add meanwhile')
    pull.git('merge', '--quiet', '--no-edit', '--no-ff', head)
    await run({ ...pull, head: () => head }, forge)
    expect(forge.comments[0]?.body).toContain('1 to add, 0 to change, 0 to repair, 0 to remove, 2 unchanged')
  })

  test('loads no code from a pull request', async () => {
    await using forge = await openForgeLab()
    const pull = openPullRequest()
    pull.fixture.write(
      'evil.mjs',
      `import { writeFileSync } from 'node:fs'\nwriteFileSync('tmp/sprung', '')\nexport default {}\n`,
    )
    pull.fixture.write('.npmrc', 'script-shell=./evil.mjs\n')
    pull.fixture.write('package.json', '{ "type": "module", "main": "evil.mjs" }')
    pull.fixture.write('host.yaml', 'apiVersion: reeve/v1\nkind: HostConfiguration\nproviders: [./evil.mjs]\n')
    const { status, output } = await run(pull, forge, { config: 'host.yaml', REEVE_CONFIG: 'host.yaml' })
    expect(status).toBe(1)
    expect(output).toContain('it is not loaded')
    expect(forge.comments).toEqual([])
    expect(existsSync(pull.fixture.path('tmp/sprung'))).toBe(false)
  })

  test('succeeds without a comment where the token of a fork may not write, and fails at anything else', async () => {
    await using forge = await openForgeLab()
    const pull = openPullRequest()
    forge.refuse(403)
    expect(await run(pull, forge)).toMatchObject({
      status: 0,
      output: expect.stringMatching(
        /may not write comments .*: nothing is posted. The plan is in the (?:summary|log) of the job/,
      ),
    })
    expect(await run(pull, forge, { token: '' })).toMatchObject({
      status: 0,
      output: expect.stringContaining('There is no token'),
    })
    forge.refuse(500)
    expect((await run(pull, forge)).status).toBe(1)
    expect(forge.comments).toEqual([])
  })
})

test('the job of GitLab takes Reeve by the id of a commit, which nobody can move', async () => {
  await using forge = await openForgeLab()
  const pull = openPullRequest()
  await runJob(pull, forge)
  const commit = execFileSync('git', ['-C', pull.fixture.path('tmp/reeve'), 'rev-parse', 'HEAD'], { encoding: 'utf8' })
  const job = await runJob(pull, forge, { REEVE_VERSION: commit.trim() })
  expect(job, job.output).toMatchObject({ status: 0 })
  expect(forge.changes.at(-1)).toMatch(/^PUT /)
})

test('the plan is in the summary of the job too', async () => {
  await using forge = await openForgeLab()
  const pull = openPullRequest()
  forge.refuse(403)
  expect((await runAction(pull, forge)).summary).toMatch(`${marker}\n`)
})

describe('of text that a pull request can choose', () => {
  test('nothing becomes part of a script, and no action of others is used', () => {
    expect(action.runs.using).toBe('composite')
    for (const step of action.runs.steps) {
      expect(Object.keys(step)).not.toContain('uses')
      expect(step.run).not.toContain('${{')
    }
    expect(template.script.join('\n')).not.toContain('$[[')
  })

  test('no step that reads it has the token', () => {
    const holders = action.runs.steps.filter(({ env = {} }) => JSON.stringify(env).includes('token'))
    expect(holders.map(({ name }) => name)).toEqual(['Comment'])
  })
})

describe('on the page for pull requests', () => {
  const examples = [...page.matchAll(/^```yaml (GitHub|GitLab)\n([\s\S]*?)^```$/gm)]

  test('the workflow gives secrets to nobody, and uses inputs that exist', () => {
    const [workflow] = examples.flatMap(([, forge, text = '']) => (forge === 'GitHub' ? [parse(text)] : []))
    expect(workflow.on).toBe('pull_request')
    expect(workflow.permissions).toEqual({})
    expect(workflow.jobs.plan.permissions).toEqual({ contents: 'read', 'pull-requests': 'write' })
    expect(workflow.concurrency['cancel-in-progress']).toBe(true)
    const steps: { uses?: string; with?: object }[] = workflow.jobs.plan.steps
    // A tag of others can be moved.
    expect(steps[0]).toMatchObject({
      uses: expect.stringMatching(/^actions\/checkout@[0-9a-f]{40}$/),
      with: { 'persist-credentials': false },
    })
    const used = Object.keys(steps[1]?.with ?? {})
    expect(Object.keys(action.inputs)).toEqual(expect.arrayContaining(used))
    expect(used.length).toBeGreaterThan(0)
  })

  test('the job extends the template, and sets variables that it has', () => {
    const [pipeline] = examples.flatMap(([, forge, text = '']) => (forge === 'GitLab' ? [parse(text)] : []))
    const job = pipeline['plan shop']
    expect(job.extends).toBe('.reeve-plan')
    expect(Object.keys(template.variables)).toEqual(expect.arrayContaining(Object.keys(job.variables)))
  })
})
