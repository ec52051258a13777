import { readFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { eventually } from '../../src/conformance/eventually.ts'
import type { RevisionReport, SourceStatus } from '../../src/core/contracts/source-status.ts'
import { readRevisions } from '../../src/engine/rollout/rollout-report.ts'
import type { Session } from '../../src/engine/session/session.ts'
import {
  createEngineLab,
  type EngineLab,
  type EngineLabOptions,
  type RunningController,
  type Spec,
} from './engine-lab.ts'
import { createGitLab, type GitLab } from './git-lab.ts'

/** A host that follows a repository: each commit declares all of its facilities. */
export interface RolloutLab extends AsyncDisposable {
  readonly git: GitLab
  readonly host: EngineLab
  /** Commits these facilities in place of all others; returns the commit. */
  declare(facilities: Readonly<Record<string, Spec>>, message?: string): string
  run(): Promise<RunningController>
  /** Waits until the newest revision has the outcome, and returns the source's status. */
  outcome(controller: RunningController, commit: string, outcome: string): Promise<SourceStatus>
  revisions(session: Session): readonly RevisionReport[]
  /** Outcomes of all revisions, the oldest first: `Healthy RolledBack`. */
  outcomes(session: Session): string
}

/** Runs until it is ended, and is told apart by its number. */
export const sleeper = (number: number): Spec => ({ process: { command: ['/bin/sleep', `${1_000_000 + number}`] } })

export const failing: Spec = { process: { command: ['/bin/false'] } }

export type RolloutRules = Readonly<Record<string, unknown>>

/** `rollout`: as in the host configuration, over 0.3 s of minHealthyTime. */
export function createRolloutLab(rollout: RolloutRules = {}): RolloutLab {
  const git = createGitLab()
  return openRolloutLab(git, createEngineLab(followerOf(git, rollout)))
}

/** Options of a host that follows the repository. */
export function followerOf(git: GitLab, rollout: RolloutRules): EngineLabOptions {
  const rules = { minHealthyTime: '300ms', ...rollout }
  const source = { git: { url: git.upstream, branch: 'main', interval: '1h' } }
  return { hasSource: true, configuration: stringify({ source, rollout: rules }) }
}

/** Takes both down at its end. */
export function openRolloutLab(git: GitLab, host: EngineLab): RolloutLab {
  const supervisor = readFileSync(`${host.manifests}/supervisor-lab.yaml`, 'utf8')
  let former: string[] = []

  return {
    git,
    host,
    declare(facilities, message = `Declare ${Object.keys(facilities).join(', ')}`) {
      const documents = Object.entries(facilities).map(([name, spec]) => {
        const text = stringify({ apiVersion: 'reeve/v1', kind: 'Facility', metadata: { name }, spec })
        return [`${name}.yaml`, text] as const
      })
      const gone = former.filter(file => !documents.some(([name]) => name === file))
      former = documents.map(([name]) => name)
      const files = Object.fromEntries([...documents, ...gone.map(file => [file, undefined] as const)])
      return git.commit({ 'supervisor-lab.yaml': supervisor, ...files }, { message })
    },
    run: () => host.run(),
    async outcome({ control }, commit, outcome) {
      let found: SourceStatus | undefined
      await eventually(
        () => `${commit.slice(0, 12)} to be ${outcome}: ${JSON.stringify(found)}`,
        async () => {
          found = (await control.status()).source
          return found?.rollout?.commit === commit && found.rollout.outcome === outcome
        },
      )
      if (!found) throw new Error('there is no source')
      return found
    },
    revisions: session => readRevisions(session),
    outcomes: session =>
      readRevisions(session)
        .map(({ outcome }) => outcome)
        .reverse()
        .join(' '),
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]()
      git[Symbol.dispose]()
    },
  }
}
