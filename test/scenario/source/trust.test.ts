import { describe, expect, test } from 'vitest'
import type { VerifyConfiguration } from '../../../src/core/model/source-configuration.ts'
import type { GitSource } from '../../../src/source/git-source.ts'
import { createGitLab, type GitLab, noSignal, signing } from '../../labs/git-lab.ts'
import { createSigningKeys, type SigningKeys } from '../../labs/signing-keys.ts'
import { createManualClock } from '../../tools/manual-clock.ts'

interface TrustLab extends Disposable {
  readonly lab: GitLab
  readonly keys: SigningKeys
  open(verify?: Partial<VerifyConfiguration>, options?: Parameters<GitLab['open']>[0]): GitSource
}

function createTrustLab(): TrustLab {
  const lab = createGitLab()
  const keys = createSigningKeys(lab)
  const { signers, revoked, keyring } = keys
  return {
    lab,
    keys,
    open: (verify = {}, options = {}) =>
      lab.open({ ...options, verify: { commits: 'every', signers: { file: signers, revoked, keyring }, ...verify } }),
    [Symbol.dispose]: () => lab[Symbol.dispose](),
  }
}

async function conditionAfter(source: GitSource): Promise<{ reason: string; message: string }> {
  await source.sync(noSignal)
  return source.status().condition
}

describe('a commit is applied', () => {
  test.each(['ssh', 'openpgp'] as const)('signed by %s with a key of the host', async format => {
    using trust = createTrustLab()
    const { lab, keys } = trust
    const signer = format === 'ssh' ? keys.addSsh('ada') : keys.addGpg('ada')
    lab.commit({ 'web.yaml': 'a' }, { signer })
    const source = trust.open()
    expect(await conditionAfter(source)).toMatchObject({ reason: 'UpToDate' })
    expect(source.status().revision?.signer).toMatch(/ada@example.org/)
    lab.commit({ 'web.yaml': 'b' }, { signer })
    lab.commit({ 'web.yaml': 'c' }, { signer })
    expect(await conditionAfter(source)).toMatchObject({ reason: 'UpToDate' })
    expect(lab.read('web.yaml')).toBe('c')
  })

  test('in a repository with SHA-256', async () => {
    using lab = createGitLab({ format: 'sha256' })
    const keys = createSigningKeys(lab)
    lab.commit({ 'web.yaml': 'a' }, { signer: keys.addSsh('ada') })
    const source = lab.open({ verify: { commits: 'every', signers: { file: keys.signers } } })
    expect(await conditionAfter(source)).toMatchObject({ reason: 'UpToDate' })
  })
})

describe('a commit is not applied', () => {
  const cases: readonly (readonly [
    title: string,
    problem: string,
    sign: (trust: TrustLab) => Parameters<GitLab['commit']>[1],
  ])[] = [
    ['without a signature', 'it is not signed', () => ({})],
    [
      'signed by a stranger',
      'its key is not among the signers',
      ({ keys }) => ({ signer: keys.addSsh('eve', 'unknown') }),
    ],
    [
      'signed with an expired key',
      'its key has expired',
      ({ keys }) => ({ signer: keys.addSsh('old', 'valid-before="20200101"') }),
    ],
    [
      'signed with an expired key, and backdated to its validity',
      'its key has expired',
      ({ keys }) => ({ signer: keys.addSsh('old', 'valid-before="20200101"'), date: '2019-06-01T00:00:00Z' }),
    ],
    [
      'signed with a key that is not valid yet',
      'its key is not valid yet',
      ({ keys }) => ({ signer: keys.addSsh('new', 'valid-after="20990101"'), date: '2099-06-01T00:00:00Z' }),
    ],
    [
      'signed with a revoked key',
      'its key has been revoked',
      ({ keys }) => {
        const signer = keys.addSsh('bob')
        keys.revoke(signer)
        return { signer }
      },
    ],
    [
      'signed with a short RSA key',
      'its RSA key has 1024 bits: 2048 are needed',
      ({ keys }) => ({ signer: keys.addSsh('weak', '', ['-t', 'rsa', '-b', '1024']) }),
    ],
    [
      'signed with a key for other purposes than git',
      'its signer may not sign commits',
      ({ keys }) => ({ signer: keys.addSsh('mail', 'namespaces="email"') }),
    ],
    [
      'signed with an expired OpenPGP key',
      'its key has expired',
      ({ keys }) => ({ signer: keys.addGpg('old', { expires: '1d', madeAt: '20200101T000000' }) }),
    ],
  ]

  test.each(cases)('%s', async (_title, problem, sign) => {
    using trust = createTrustLab()
    const { lab, keys } = trust
    const ada = keys.addSsh('ada')
    lab.commit({ 'web.yaml': 'a' }, { signer: ada })
    const source = trust.open()
    expect(await conditionAfter(source)).toMatchObject({ reason: 'UpToDate' })
    const options = sign(trust)
    // gpg refuses to sign with an expired key, as it should: its clock is set back.
    const bad =
      options?.signer?.format === 'openpgp'
        ? commitInThePast(lab, options.signer.key)
        : lab.commit({ 'web.yaml': 'b' }, { message: 'Bad', ...options })
    expect(await conditionAfter(source)).toMatchObject({
      reason: 'Untrusted',
      message: `commit ${bad.slice(0, 12)} (Bad, by Ada Author <ada@example.org>) is not trusted: ${problem}`,
    })
    expect(source.status().waiting).toMatchObject({ commit: bad, subject: 'Bad' })
    // Not even below a signed one.
    lab.commit({ 'web.yaml': 'c' }, { signer: ada })
    expect((await conditionAfter(source)).message).toContain(`commit ${bad.slice(0, 12)}`)
    expect(lab.read('web.yaml')).toBe('a')
  })

  test('with two signatures', async () => {
    using trust = createTrustLab()
    const { lab, keys } = trust
    const signer = keys.addSsh('ada')
    lab.commit({ 'web.yaml': 'a' }, { signer })
    const content = lab.git('cat-file', 'commit', 'HEAD')
    const signature = /^gpgsig [\s\S]*?-----END SSH SIGNATURE-----$/m.exec(content)?.[0] ?? ''
    const doubled = content.replace(signature, `${signature}\n${signature}`)
    const id = lab.hash('commit', `${doubled}\n`)
    lab.git('push', '--quiet', '--force', 'origin', `${id}:refs/heads/main`)
    expect((await conditionAfter(trust.open())).message).toContain('it has two signatures')
  })

  test('with a signature of other content', async () => {
    using trust = createTrustLab()
    const { lab, keys } = trust
    lab.commit({ 'web.yaml': 'a' }, { signer: keys.addSsh('ada'), message: 'Good' })
    const content = lab.git('cat-file', 'commit', 'HEAD').replace('\nGood', '\nEvil')
    const id = lab.hash('commit', `${content}\n`)
    lab.git('push', '--quiet', '--force', 'origin', `${id}:refs/heads/main`)
    expect((await conditionAfter(trust.open())).message).toContain('the signature is not of this content')
  })
})

describe('verification covers', () => {
  test('only commits since the current revision, with the current keys: a key may be rotated', async () => {
    using trust = createTrustLab()
    const { lab, keys } = trust
    const old = keys.addSsh('old')
    lab.commit({ 'web.yaml': 'a' }, { signer: old })
    const source = trust.open()
    await source.sync(noSignal)
    const fresh = keys.addSsh('fresh')
    lab.commit({ 'web.yaml': 'b' }, { signer: fresh })
    expect(await conditionAfter(source)).toMatchObject({ reason: 'UpToDate' })
    keys.remove('old')
    lab.commit({ 'web.yaml': 'c' }, { signer: fresh })
    expect(await conditionAfter(source)).toMatchObject({ reason: 'UpToDate' })
    expect(lab.read('web.yaml')).toBe('c')
  })

  test('on a first-parent line the merge, which answers for its content', async () => {
    using trust = createTrustLab()
    const { lab, keys } = trust
    const signer = keys.addSsh('ada')
    lab.commit({ 'web.yaml': 'a' }, { signer })
    const [every, line] = [trust.open(), trust.open({ commits: 'first-parent' })]
    await every.sync(noSignal)
    lab.git('checkout', '--quiet', '-b', 'topic')
    lab.commit({ 'api.yaml': 'x' }, { branch: 'topic' })
    lab.git('checkout', '--quiet', '-B', 'main', 'origin/main')
    lab.git(...signing(signer), 'merge', '--quiet', '--no-ff', '--gpg-sign', '-m', 'Merge topic', 'topic')
    lab.git('push', '--quiet', 'origin', 'HEAD:refs/heads/main')
    expect(await conditionAfter(every)).toMatchObject({ reason: 'Untrusted' })
    expect(await conditionAfter(line)).toMatchObject({ reason: 'UpToDate' })
    expect(lab.read('api.yaml')).toBe('x')
  })

  test('a merge of a forge by the forge’s key', async () => {
    using trust = createTrustLab()
    const { lab, keys } = trust
    const signer = keys.addSsh('ada')
    lab.commit({ 'web.yaml': 'a' }, { signer })
    const source = trust.open()
    await source.sync(noSignal)
    const forge = keys.addGpg('forge')
    lab.commit({ 'web.yaml': 'b' }, { signer: forge, message: 'Merge pull request' })
    expect(await conditionAfter(source)).toMatchObject({ reason: 'UpToDate' })
    const without = lab.open({ verify: { commits: 'every', signers: { file: keys.signers } } })
    lab.commit({ 'web.yaml': 'c' }, { signer: forge })
    expect((await conditionAfter(without)).message).toContain('it is signed with OpenPGP, and no key ring is named')
  })

  test('only the newest commit, if configured', async () => {
    using trust = createTrustLab()
    const { lab, keys } = trust
    const signer = keys.addSsh('ada')
    lab.commit({ 'web.yaml': 'a' }, { signer })
    const source = trust.open({ commits: 'head' })
    await source.sync(noSignal)
    lab.commit({ 'web.yaml': 'b' })
    expect(await conditionAfter(source)).toMatchObject({ reason: 'Untrusted' })
    lab.commit({ 'web.yaml': 'c' }, { signer })
    expect(await conditionAfter(source)).toMatchObject({ reason: 'UpToDate' })
  })

  test('all commits since the named one, for the first revision', async () => {
    using trust = createTrustLab()
    const { lab, keys } = trust
    const signer = keys.addSsh('ada')
    lab.commit({ 'web.yaml': 'a' })
    const start = lab.commit({ 'web.yaml': 'b' })
    const unsigned = lab.commit({ 'web.yaml': 'c' }, { message: 'Unsigned' })
    lab.commit({ 'web.yaml': 'd' }, { signer })
    expect((await conditionAfter(trust.open({ start }))).message).toContain(`commit ${unsigned.slice(0, 12)} (Unsigned`)
    expect((await conditionAfter(trust.open({ start: 'f'.repeat(40) }))).message).toContain(
      'does not descend from verify.start',
    )
    expect(await conditionAfter(trust.open({ start: unsigned }))).toMatchObject({ reason: 'UpToDate' })
  })
})

describe('a tag', () => {
  const tag = (trust: TrustLab, name: string, ...args: string[]): void => {
    trust.lab.git(...args, 'tag', ...(args.length > 0 ? ['--sign'] : ['--annotate']), '--message', name, name)
    trust.lab.git('push', '--quiet', '--force', 'origin', `refs/tags/${name}`)
  }
  const wanted = { wish: { kind: 'semver', range: '*' } } as const

  test('with a signature brings an unsigned commit into force', async () => {
    using trust = createTrustLab()
    const signer = trust.keys.addSsh('ada')
    trust.lab.commit({ 'web.yaml': 'a' })
    tag(trust, 'v1.0.0', ...signing(signer))
    const source = trust.open({ commits: 'tag' }, wanted)
    expect(await conditionAfter(source)).toMatchObject({ reason: 'UpToDate' })
    expect(source.status().revision?.signer).toBe('ada@example.org')
  })

  test('without a signature, or not annotated, is refused', async () => {
    using trust = createTrustLab()
    const commit = trust.lab.commit({ 'web.yaml': 'a' })
    tag(trust, 'v1.0.0')
    expect((await conditionAfter(trust.open({ commits: 'tag' }, wanted))).message).toBe(
      'tag v1.0.0 is not trusted: it is not signed',
    )
    trust.lab.git('push', '--quiet', 'origin', `${commit}:refs/tags/v1.1.0`)
    expect((await conditionAfter(trust.open({ commits: 'tag' }, wanted))).message).toBe(
      'tag v1.1.0 is not trusted: it is no annotated tag, and only those are signed',
    )
  })

  test('that was renamed is refused', async () => {
    using trust = createTrustLab()
    const signer = trust.keys.addSsh('ada')
    trust.lab.commit({ 'web.yaml': 'a' })
    tag(trust, 'v1.0.0', ...signing(signer))
    trust.lab.git('push', '--quiet', 'origin', 'v1.0.0:refs/tags/v2.0.0')
    expect((await conditionAfter(trust.open({ commits: 'tag' }, wanted))).message).toBe(
      'tag v2.0.0 is not trusted: it is the tag v1.0.0, under another name',
    )
  })
})

describe('trust in the current revision', () => {
  test('is checked again when keys change, and its loss is reported', async () => {
    using trust = createTrustLab()
    const { lab, keys } = trust
    const signer = keys.addSsh('ada')
    lab.commit({ 'web.yaml': 'a' }, { signer })
    const source = trust.open()
    expect(await conditionAfter(source)).toMatchObject({ reason: 'UpToDate' })
    keys.revoke(signer)
    expect(await conditionAfter(source)).toMatchObject({
      reason: 'Untrusted',
      message: expect.stringMatching(
        /^the revision in force was trusted and is not any more: .*: its key has been revoked$/,
      ),
    })
    expect(lab.read('web.yaml')).toBe('a')
  })

  test('is checked again at start, and after an hour, as keys expire', async () => {
    using trust = createTrustLab()
    const { lab, keys } = trust
    const clock = createManualClock(Date.now())
    const signer = keys.addSsh('ada', `valid-before="${stamp(Date.now() + 1_800_000)}Z"`)
    lab.commit({ 'web.yaml': 'a' }, { signer })
    const source = trust.open({}, { clock })
    expect(await conditionAfter(source)).toMatchObject({ reason: 'UpToDate' })
    clock.step(3_600_001)
    expect((await conditionAfter(source)).message).toContain('its key has expired')
    expect((await conditionAfter(trust.open({}, { clock }))).message).toContain('its key has expired')
  })

  test('includes a warning if the newest commit is old', async () => {
    using trust = createTrustLab()
    const { lab, keys } = trust
    lab.commit(
      { 'web.yaml': 'a' },
      { signer: keys.addSsh('ada'), date: new Date(Date.now() - 40 * 86_400_000).toISOString() },
    )
    const source = trust.open({ maxAge: 30 * 86_400_000 })
    expect(await conditionAfter(source)).toMatchObject({ reason: 'UpToDate' })
    expect(source.status().warning).toBe(
      'the newest commit is 40 days old, more than verify.maxAge allows: if there are newer ones, somebody keeps them from this host',
    )
  })
})

function stamp(time: number): string {
  return new Date(time).toISOString().slice(0, 19).replace(/[-T:]/g, '')
}

/** By a gpg whose clock says 2020, noon. */
function commitInThePast(lab: GitLab, key: string): string {
  const program = lab.script('gpg-in-2020', 'exec gpg --faked-system-time 20200101T120000 "$@"')
  lab.git(
    '-c',
    `gpg.program=${program}`,
    '-c',
    `user.signingkey=${key}`,
    'commit',
    '--quiet',
    '--allow-empty',
    '--gpg-sign',
    '-m',
    'Bad',
  )
  lab.git('push', '--quiet', 'origin', 'HEAD:refs/heads/main')
  return lab.git('rev-parse', 'HEAD')
}
