import { resolve } from 'node:path'
import type { HostConfigurationForm } from '#schemas/compiled/host-configuration.shape.js'
import { readGitUrl } from '../core/model/git-url.ts'
import type { GitSourceConfiguration, ReferenceWish, SourceConfiguration } from '../core/model/source-configuration.ts'
import type { FieldProblem } from './diagnostics/problem.ts'

type SourceForm = HostConfigurationForm['source']
type GitForm = NonNullable<SourceForm['git']>

/** Checks of `source` that the schema can't express. */
export function findSourceProblems({ source, manifests, listen }: HostConfigurationForm): FieldProblem[] {
  const { git, link } = source
  const problems: FieldProblem[] = []
  const add = (path: readonly string[], message: string): void => {
    problems.push({ code: 'invalid-value', message, path: ['source', ...path] })
  }
  if (manifests !== undefined && (git !== undefined || link !== undefined)) {
    add([], 'source and manifests both say where the manifests are: leave one of them away')
  }
  if (!git) return problems
  const reading = readGitUrl(git.url)
  if ('problem' in reading) add(['git', 'url'], reading.problem)
  const wishes = (['branch', 'tag', 'semver'] as const).filter(key => git[key] !== undefined)
  const [, second] = wishes
  if (second !== undefined)
    add(['git', second], `expected one of branch, tag and semver, found ${wishes.join(' and ')}`)
  if (git.webhook && listen === undefined) {
    add(['git', 'webhook'], 'a webhook needs an address: say with listen where the controller listens')
  }
  if (git.verify && git.verify.signers === undefined && git.verify.gpgKeyring === undefined) {
    add(['git', 'verify'], 'verify needs keys: name a file in signers (SSH) or gpgKeyring (OpenPGP)')
  }
  if (git.verify?.commits === 'tag' && git.tag === undefined && git.semver === undefined) {
    add(['git', 'verify', 'commits'], 'expected tag or semver to say which tag is wanted, as tags are to be signed')
  }
  if (git.path?.split('/').includes('..')) {
    add(['git', 'path'], `source.git.path must stay below the repository's top, without .., found ${git.path}`)
  }
  return problems
}

/** Source in normal form. Undefined: there is none, or its URL is invalid. `base`: directory that a relative URL is relative to. */
export function completeSource({ git, link }: SourceForm, base: string): SourceConfiguration | undefined {
  if (link !== undefined) return { type: 'link', path: link }
  const reading = git && readGitUrl(git.url)
  if (!git || !reading || 'problem' in reading) return undefined
  const { auth, interval, path = '', webhook } = git
  const { url } = reading
  const text = url.text.startsWith('.') ? resolve(base, url.text) : url.text
  return {
    type: 'git',
    url: { ...url, text },
    wish: wishOf(git),
    path,
    interval,
    access: auth,
    ...verifyOf(git),
    ...(webhook && { webhook }),
  }
}

function verifyOf({ verify }: GitForm): Pick<GitSourceConfiguration, 'verify'> {
  if (!verify) return {}
  const { commits = 'every', signers, revoked, gpgKeyring, ...rest } = verify
  const files = {
    ...(signers !== undefined && { file: signers }),
    ...(revoked !== undefined && { revoked }),
    ...(gpgKeyring !== undefined && { keyring: gpgKeyring }),
  }
  return { verify: { commits, signers: files, ...rest } }
}

function wishOf({ branch, tag, semver }: GitForm): ReferenceWish {
  if (branch !== undefined) return { kind: 'branch', name: branch }
  if (tag !== undefined) return { kind: 'tag', name: tag }
  return semver === undefined ? { kind: 'default-branch' } : { kind: 'semver', range: semver }
}
