import pLimit from 'p-limit'
import type { VerifyConfiguration } from '../core/model/source-configuration.ts'
import { type GitObject, parseCommit } from './git-object.ts'
import type { GitRepository } from './git-repository.ts'
import { type Signed, takeCommitApart, takeTagApart, type Unsigned } from './signature.ts'
import type { Verdict } from './signature-check.ts'
import { SourceError } from './source-error.ts'

/** What is to come into force. */
export interface Candidate {
  readonly commit: string
  /** `refs/tags/v1.2.3` */
  readonly reference: string
  /** Of the object that the reference leads to: an annotated tag's own. */
  readonly referenceId: string
  /** The revision in force, which has been verified. Absent: there is none. */
  readonly after?: string
}

export interface TrustOptions {
  readonly verify: VerifyConfiguration
  readonly repository: GitRepository
  readonly check: (signed: Signed, signal: AbortSignal) => Promise<Verdict>
}

/** More new commits than that are not verified at once. */
const mostCommits = 20_000

const atOnce = 8

/**
 * Verifies what lies between the revision in force and the candidate, each commit by itself: what one signature says of its parents, no
 * other has to. Gives who has signed the candidate. Throws SourceError `Untrusted`, which names the oldest commit that isn't trusted.
 */
export async function expectTrusted(candidate: Candidate, options: TrustOptions, signal: AbortSignal): Promise<string> {
  if (options.verify.commits === 'tag') return expectTrustedTag(candidate, options, signal)
  const commits = await listUnverified(candidate, options, signal)
  const limit = pLimit(atOnce)
  const objects = await options.repository.read(commits, signal)
  const verdicts = await Promise.all(
    objects.map(object =>
      limit(async () => {
        if (!('type' in object) || object.type !== 'commit') throw lacking(candidate.commit)
        return { object, verdict: await judge(takeCommitApart(object.content), options, signal) }
      }),
    ),
  )
  // The oldest first.
  for (const { object, verdict } of verdicts) if ('problem' in verdict) throw untrusted(object, verdict.problem)
  const last = verdicts.at(-1)?.verdict
  return last && 'signer' in last ? last.signer : ''
}

async function listUnverified(
  { commit, after }: Candidate,
  { verify, repository }: TrustOptions,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const from = after ?? verify.start
  if (verify.commits === 'head' || from === undefined || from === commit) return [commit]
  if (after === undefined && !(await repository.isAncestor(from, commit, signal))) {
    throw new SourceError(
      'Untrusted',
      `commit ${commit.slice(0, 12)} does not descend from verify.start, ${from.slice(0, 12)}`,
    )
  }
  const isLine = verify.commits === 'first-parent'
  const commits = await repository.listCommits({ from, to: commit, isLine, most: mostCommits + 1 }, signal)
  if (commits.length <= mostCommits) return commits
  throw new SourceError('Untrusted', `more than ${mostCommits} commits are new: name a later one in verify.start`)
}

async function expectTrustedTag(
  { reference, referenceId, commit }: Candidate,
  options: TrustOptions,
  signal: AbortSignal,
): Promise<string> {
  const name = reference.replace(/^refs\/tags\//, '')
  const [object] = await options.repository.read([referenceId], signal)
  const refuse = (problem: string) => new SourceError('Untrusted', `tag ${name} is not trusted: ${problem}`)
  if (!object || !('type' in object)) throw lacking(referenceId)
  if (object.type !== 'tag') throw refuse('it is no annotated tag, and only those are signed')
  const tag = takeTagApart(object.content, name)
  if ('target' in tag && tag.target !== commit) throw refuse('it leads to another commit')
  const verdict = await judge(tag, options, signal)
  if ('problem' in verdict) throw refuse(verdict.problem)
  return verdict.signer
}

async function judge(signed: Signed | Unsigned, { check }: TrustOptions, signal: AbortSignal): Promise<Verdict> {
  return 'problem' in signed ? signed : check(signed, signal)
}

function untrusted(object: GitObject, problem: string): SourceError {
  const { author, subject } = parseCommit(object)
  return new SourceError(
    'Untrusted',
    `commit ${object.id.slice(0, 12)} (${subject}, by ${author}) is not trusted: ${problem}`,
  )
}

function lacking(id: string): SourceError {
  return new SourceError('Corrupt', `the local copy of the repository lacks ${id}`)
}
