import { describe, expect, test } from 'vitest'
import { readGitUrl } from '../../../../src/core/model/git-url.ts'
import { placeOfSource, readNamedSource } from '../../../../src/engine/session/revision-place.ts'
import { openSession, type Session } from '../../../../src/engine/session/session.ts'
import { makeDirectory } from '../../../tools/manifest-directory.ts'

describe('URL#REF:PATH', () => {
  test.each([
    ['/srv/a.git', { url: '/srv/a.git', revision: 'HEAD', path: '' }],
    ['git@example.org:team/a.git#main', { url: 'git@example.org:team/a.git', revision: 'main', path: '' }],
    ['https://example.org/a#v1:hosts/shop', { url: 'https://example.org/a', revision: 'v1', path: 'hosts/shop' }],
    ['ssh://git@h:22/a#fix-#12:x', { url: 'ssh://git@h:22/a', revision: 'fix-#12', path: 'x' }],
    ['/srv/a.git#:hosts', { url: '/srv/a.git', revision: 'HEAD', path: 'hosts' }],
  ])('%s is taken apart', (text, expected) => {
    expect(readNamedSource(text)).toEqual(expected)
  })
})

async function sessionFollowing(url: string): Promise<Session> {
  const directory = makeDirectory({
    'reeve.yaml': `apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: state\nsource: { git: { url: "${url}", auth: { tokenFile: token, sshKey: key } } }\n`,
  })
  return openSession({ cwd: directory, config: 'reeve.yaml', insecurePermissions: true })
}

describe('the key and token of the host', () => {
  test.each([
    ['https://example.org/team/hosts', 'https://example.org/other', true],
    ['https://example.org/team/hosts', 'https://example.org:443/other', true],
    ['https://example.org/team/hosts', 'https://example.org:8443/other', false],
    ['https://example.org/team/hosts', 'https://example.com/team/hosts', false],
    ['https://example.org/team/hosts', 'http://example.org/team/hosts', false],
    ['https://example.org/team/hosts', 'git@example.org:team/hosts', false],
    ['git@example.org:team/hosts', 'other@example.org:fork', true],
    ['git@example.org:team/hosts', 'ssh://git@example.org/fork', true],
    ['git@example.org:team/hosts', 'ssh://git@example.org:2222/fork', false],
    ['/srv/hosts.git', '/srv/other.git', false],
  ])('of %s are shown to %s: %s', async (own, other, isShown) => {
    using session = await sessionFollowing(own)
    expect(readGitUrl(other)).toHaveProperty('url')
    const { access } = placeOfSource(readNamedSource(other), session, '/')
    expect({ token: access.tokenFile !== undefined, key: access.sshKey !== undefined }).toEqual({
      token: isShown,
      key: isShown,
    })
  })
})
