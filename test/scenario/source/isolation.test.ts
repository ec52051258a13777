import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createGitLab, type GitLab, noSignal } from '../../labs/git-lab.ts'

/** Has the branch lead to a commit of these entries: lines of `git mktree`, taken as they are. */
function commitTree(lab: GitLab, entries: readonly (readonly [mode: string, name: string, id: string])[]): string {
  const bytes = entries.flatMap(([mode, name, id]) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(id, 'hex')])
  const tree = lab.hash('tree', Buffer.concat(bytes))
  const commit = lab.git('commit-tree', '-p', 'HEAD', '-m', 'Change manifests', tree)
  lab.git('push', '--quiet', 'origin', `${commit}:refs/heads/main`)
  return commit
}

describe('objects are checked as they come, and refused with the revision in force left as it is:', () => {
  test.each([
    ['a tree with a directory of git', [['40000', '.git', 'tree']]],
    [
      'a tree with two entries of one name',
      [
        ['100644', 'web.yaml', 'blob'],
        ['100644', 'web.yaml', 'blob'],
      ],
    ],
    [
      'a tree that is out of order',
      [
        ['100644', 'z.yaml', 'blob'],
        ['100644', 'a.yaml', 'blob'],
      ],
    ],
  ] as const)('%s', async (_what, entries) => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'web' })
    const source = lab.open()
    await source.sync(noSignal)
    const ids = { blob: lab.git('rev-parse', 'HEAD:web.yaml'), tree: lab.git('rev-parse', 'HEAD^{tree}') }
    commitTree(
      lab,
      entries.map(([mode, name, kind]) => [mode, name, ids[kind]] as const),
    )
    await source.sync(noSignal)
    expect(source.status().condition.reason).toBe('FetchFailed')
    expect(source.status().condition.message).toMatch(/fsck|object/i)
    expect(lab.read('web.yaml')).toBe('web')
  })
})

test('a replacement in the local copy replaces nothing', async () => {
  using lab = createGitLab()
  lab.commit({ 'web.yaml': 'web' })
  const source = lab.open()
  await source.sync(noSignal)
  const blob = lab.hash('blob', 'forged')
  const copy = join(lab.sourceDirectory, 'git/repository.git')
  lab.git('--git-dir', copy, 'hash-object', '-w', join(lab.directory, 'object'))
  const next = lab.hash('blob', 'next')
  mkdirSync(join(copy, 'refs/replace'), { recursive: true })
  writeFileSync(join(copy, 'refs/replace', next), `${blob}\n`)
  lab.commit({ 'web.yaml': 'next' })
  await source.sync(noSignal)
  expect(lab.read('web.yaml')).toBe('next')
})

test('a pointer of Git LFS is exported as it is, and its filter is not run', async () => {
  using lab = createGitLab()
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 3\n`
  lab.commit({ 'web.yaml': pointer })
  lab.commit({ '.gitattributes': '*.yaml filter=lfs diff=lfs merge=lfs -text\n' })
  await lab.open().sync(noSignal)
  expect(lab.read('web.yaml')).toBe(pointer)
})

test('hooks of the local copy, and those that its template would bring, are not run', async () => {
  using lab = createGitLab()
  lab.commit({ 'web.yaml': 'web' })
  const source = lab.open()
  await source.sync(noSignal)
  const hooks = join(lab.sourceDirectory, 'git/repository.git/hooks')
  expect(existsSync(hooks)).toBe(false)
  mkdirSync(hooks)
  for (const hook of ['reference-transaction', 'post-checkout', 'pre-auto-gc'])
    writeFileSync(join(hooks, hook), `#!/bin/sh\necho ${hook} >> ${join(lab.directory, 'sprung')}\n`, { mode: 0o755 })
  lab.commit({ 'web.yaml': 'api' })
  await source.sync(noSignal)
  expect(lab.read('web.yaml')).toBe('api')
  expect(existsSync(join(lab.directory, 'sprung'))).toBe(false)
})

test('nothing of the host’s environment reaches git, nor its configuration', async () => {
  using lab = createGitLab()
  lab.commit({ 'web.yaml': 'web' })
  const seen = join(lab.directory, 'seen')
  const tools = join(lab.directory, 'tools')
  mkdirSync(tools)
  writeFileSync(join(tools, 'git'), `#!/bin/sh\nenv >> ${seen}\nPATH=\${PATH#*:} exec git "$@"\n`, { mode: 0o755 })
  const path = process.env.PATH
  process.env.PATH = `${tools}:${path}`
  process.env.GIT_ALTERNATE_OBJECT_DIRECTORIES = '/nowhere'
  process.env.GIT_SSH_COMMAND = '/nowhere'
  try {
    await lab.open().sync(noSignal)
  } finally {
    process.env.PATH = path
    delete process.env.GIT_ALTERNATE_OBJECT_DIRECTORIES
    delete process.env.GIT_SSH_COMMAND
  }
  expect(lab.read('web.yaml')).toBe('web')
  const names = new Set(
    readFileSync(seen, 'utf8')
      .split('\n')
      .map(line => line.split('=')[0]),
  )
  expect([...names].filter(name => name?.startsWith('GIT_')).sort()).toEqual([
    'GIT_ATTR_NOSYSTEM',
    'GIT_CEILING_DIRECTORIES',
    'GIT_CONFIG_GLOBAL',
    'GIT_CONFIG_NOSYSTEM',
    'GIT_NO_REPLACE_OBJECTS',
    'GIT_OPTIONAL_LOCKS',
    'GIT_TERMINAL_PROMPT',
  ])
  expect(readFileSync(seen, 'utf8')).toContain(`HOME=${lab.sourceDirectory}/git/home`)
})
