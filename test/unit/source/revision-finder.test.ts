import { describe, expect, test } from 'vitest'
import type { GitRepository } from '../../../src/source/git-repository.ts'
import type { RemoteReference } from '../../../src/source/remote-reference.ts'
import { createRemoteFinder } from '../../../src/source/revision-finder.ts'
import { SourceError } from '../../../src/source/source-error.ts'

const [first, second, tagObject] = ['1', '2', '3'].map(digit => digit.repeat(40)) as [string, string, string]

interface Server {
  readonly references?: readonly RemoteReference[]
  readonly head?: string
  /** Commits that are here already. */
  readonly here?: readonly string[]
  /** Commits that come with the whole history. */
  readonly history?: readonly string[]
  /** False: it gives only what references lead to. */
  readonly givesAny?: boolean
}

/** The names that were asked for are in `asked`. */
function find(revision: string, { references = [], head, here = [], history = [], givesAny = true }: Server) {
  const asked: string[] = []
  const known = new Set(here)
  const repository: Pick<GitRepository, 'find' | 'list' | 'fetch' | 'fetchAll'> = {
    find: async id => [...known].find(commit => commit.startsWith(id)),
    async list(patterns) {
      asked.push(`list ${patterns.join(' ')}`)
      return { references, ...(head !== undefined && { head }) }
    },
    async fetch(name) {
      asked.push(`fetch ${name}`)
      const isReference = name.startsWith('refs/')
      if (!isReference && !givesAny) throw new SourceError('FetchFailed', 'unadvertised object')
      return isReference ? second : name
    },
    async fetchAll() {
      asked.push('fetch all')
      for (const commit of history) known.add(commit)
    },
  }
  const url = { text: '/srv/hosts.git', transport: 'file' as const }
  const finder = createRemoteFinder(repository as GitRepository, url)
  return finder(revision, undefined, new AbortController().signal).then(found => ({ found, asked }))
}

const branch = { name: 'refs/heads/main', id: second }
const tag = { name: 'refs/tags/v1', id: tagObject }

describe('a revision', () => {
  test('that is here is found without asking the server', async () => {
    const here = { commit: first, reference: first, referenceId: first }
    expect(await find(first, { here: [first] })).toEqual({ found: here, asked: [] })
    expect(await find(first.slice(0, 7), { here: [first] })).toEqual({ found: here, asked: [] })
  })

  test.each<[string, Server, object]>([
    ['main', { references: [branch] }, { commit: second, reference: 'refs/heads/main', referenceId: second }],
    ['v1', { references: [tag] }, { commit: second, reference: 'refs/tags/v1', referenceId: tagObject }],
    ['HEAD', { references: [branch, tag], head: 'refs/heads/main' }, { reference: 'refs/heads/main' }],
    ['refs/pull/7/head', { references: [{ name: 'refs/pull/7/head', id: second }] }, { reference: 'refs/pull/7/head' }],
    [first, {}, { commit: first }],
    [first, { givesAny: false, history: [first] }, { commit: first }],
    ['1111111', { history: [first] }, { commit: first }],
  ])('%s is found', async (revision, server, expected) => {
    expect((await find(revision, server)).found).toMatchObject(expected)
  })

  test('that a server gives only with its history is looked for there', async () => {
    const { asked } = await find(first, { givesAny: false, history: [first] })
    expect(asked.slice(1)).toEqual([`fetch ${first}`, 'fetch all'])
  })

  test.each<[string, Server, RegExp]>([
    [
      'v1',
      { references: [{ name: 'refs/heads/v1', id: first }, tag] },
      /both a branch and a tag v1: name refs\/heads\/v1 or/,
    ],
    // A server may list more than was asked for.
    ['v1', { references: [{ name: 'refs/heads/refs/tags/v1', id: first }] }, /has no branch or tag v1/],
    [first, { givesAny: false }, /has no branch, tag or commit 1111/],
    ['abc', {}, /has no branch or tag abc/],
    ['', {}, /expected a branch, a tag, or a commit/],
    ['-x', {}, /expected a branch/],
    ['a b', {}, /expected a branch/],
    ['a*', {}, /expected a branch/],
    ['a..b', {}, /expected a branch/],
    ['main:x', {}, /expected a branch/],
    ['main@{1}', {}, /expected a branch/],
    ['+refs/heads/main:refs/heads/x', {}, /expected a branch/],
  ])('%j is refused', async (revision, server, message) => {
    await expect(find(revision, server)).rejects.toThrow(message)
  })
})
