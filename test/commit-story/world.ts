import { join } from 'node:path'
import { eventually } from '../../src/conformance/eventually.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { isBusy } from '../../src/engine/rollout/revision-record.ts'
import { readRevisions } from '../../src/engine/rollout/rollout-report.ts'
import { readRolloutState } from '../../src/engine/rollout/rollout-state.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { createGitLab, type GitLab, type Signer } from '../labs/git-lab.ts'
import { createSigningKeys } from '../labs/signing-keys.ts'
import { createDeclarations, type Declarations } from '../random-actions/declarations.ts'
import { findDifferences } from '../random-actions/world-check.ts'
import { createSoakHost, type SoakHost } from '../soak/soak-host.ts'
import { type Commit, type Deeds, findAllowed, type Record } from './commits.ts'

type Changing<Of> = { -readonly [Key in keyof Of]: Of[Key] }

/** Host that follows a repository whose commits have to be signed. */
export interface CommitWorld extends AsyncDisposable {
  readonly host: SoakHost
  readonly git: GitLab
  readonly declarations: Declarations
  readonly deeds: Changing<Deeds>
  /** Problems of the looks at the settled host. */
  readonly problems: string[]
  push(wish: PushWish): Commit
  /** Resets the branch of the working copy to the newest commit that is trusted. */
  resetToTrusted(): void
  records(): readonly Record[]
  /** Waits until the newest commit was looked at, nothing is under way, and the host is as it has to be. */
  settle(): Promise<void>
}

export interface PushWish {
  readonly kind: Commit['kind']
  readonly isSigned?: boolean
  readonly isForced?: boolean
  /** Spoils the written manifests. */
  readonly spoil?: () => void
}

const PATIENCE = 60_000

export async function createCommitWorld(facilities: number): Promise<CommitWorld> {
  const git = createGitLab()
  const keys = createSigningKeys(git)
  const signer: Signer = keys.addSsh('ada')
  const verify = { commits: 'every', signers: keys.signers }
  const source = { git: { url: git.upstream, branch: 'main', interval: '1s', verify } }
  const rollout = { minHealthyTime: '300ms' }
  const host = await createSoakHost({ settings: () => ({ source, rollout }) })
  const manifests = join(git.directory, 'work')
  const declarations = createDeclarations(facilities, { manifests, files: host.files, marker: host.marker })
  const commits = new Map<string, Commit>()
  const problems: string[] = []

  function write(): void {
    for (const declared of declarations.all) declarations.write(declared)
  }

  function make({ kind, isSigned = true, isForced = false }: PushWish, isAfterTrusted: boolean): Commit {
    const message = `${kind}${isSigned ? '' : ', unsigned'}${isForced ? ', forced' : ''}`
    const id = git.commit({}, { message, isForced, ...(isSigned ? { signer } : {}) })
    const commit = { id, kind, isTrusted: isSigned && isAfterTrusted, declared: structuredClone(declarations.all) }
    commits.set(id, commit)
    return commit
  }

  write()
  const first = make({ kind: 'good' }, true)
  const deeds: Changing<Deeds> = {
    commits,
    tip: first,
    settled: first.id,
    since: [],
    pinned: undefined,
    serviceKills: [],
    controllerKills: [],
  }

  const records = (): readonly Record[] => readRevisions(host.session)

  /** Why the host is not settled, a line each. */
  async function findUnrest(): Promise<readonly string[]> {
    const { source: found } = await (await host.control()).status()
    const known = [found?.revision?.commit, found?.waiting?.commit]
    // Of what isn't trusted, the status names the first that is not.
    const isKnown = deeds.tip.isTrusted ? known.includes(deeds.tip.id) : found?.condition.reason === 'Untrusted'
    // What the repository had to be refused for makes the next look later and later.
    if (!isKnown) process.kill(host.controllerPid(), 'SIGHUP')
    if (!isKnown) return [`${deeds.tip.id} is not known yet: ${JSON.stringify(found)}`]
    const state = readRolloutState(host.state, createReadHost())
    if (isBusy(state)) return [`under way: ${JSON.stringify(found?.rollout)}`]
    const seen = records()
    const inForce = seen.find(({ isInForce }) => isInForce)
    const allowed = findAllowed(deeds, seen)
    if (!inForce || !allowed.has(inForce.commit)) {
      return [`in force: ${inForce?.commit}; expected ${[...allowed].join(' or ')}: ${JSON.stringify(found)}`]
    }
    if (inForce.outcome !== 'Healthy') return [`in force: ${JSON.stringify(inForce)}`]
    const differences = await findDifferences(host, commits.get(inForce.commit)?.declared ?? [])
    return [...differences].map(([name, wrong]) => `${name}: ${wrong.join('; ')}`)
  }

  return {
    host,
    git,
    declarations,
    deeds,
    problems,
    records,
    push(wish) {
      write()
      wish.spoil?.()
      deeds.tip = make(wish, deeds.tip.isTrusted)
      deeds.since = [...deeds.since, deeds.tip]
      return deeds.tip
    },
    resetToTrusted() {
      const trusted = git
        .git('rev-list', 'HEAD')
        .split('\n')
        .find(id => commits.get(id)?.isTrusted)
      git.git('reset', '--quiet', '--hard', trusted ?? '')
      deeds.tip = commits.get(trusted ?? '') ?? deeds.tip
    },
    async settle() {
      let unrest: readonly string[] = []
      const isSettled = async (): Promise<boolean> => {
        unrest = await findUnrest().catch(tellRefusal)
        return unrest.length === 0
      }
      try {
        await eventually('the host to be settled', isSettled, PATIENCE)
      } catch {
        problems.push(...unrest, ...host.log().trimEnd().split('\n').slice(-20))
      }
      deeds.settled = records().find(({ isInForce }) => isInForce)?.commit ?? deeds.settled
      deeds.since = []
    },
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]()
      git[Symbol.dispose]()
    },
  }
}

/** A controller that has only just been started doesn't answer. */
function tellRefusal(error: unknown): readonly string[] {
  if (error instanceof ReeveError) return [`controller: ${error.message}`]
  throw error
}
