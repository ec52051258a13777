import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readSourceWish, type SourceFlags } from '../../../src/cli/bootstrap-wish.ts'
import { loadHostConfiguration } from '../../../src/manifest/host-configuration-file.ts'
import { addSource } from '../../../src/manifest/source-addition.ts'

const file = '/etc/reeve/reeve.yaml'
const ssh = 'git@example.org:team/hosts.git'
const head = 'apiVersion: reeve/v1\nkind: HostConfiguration\n'

const read = (text: string) => loadHostConfiguration({ file, text, env: {}, userId: 1000, insecurePermissions: true })

function add(text: string | undefined, url: string, flags: SourceFlags = {}): string {
  const found = text === undefined ? undefined : { text, configuration: read(text) }
  return addSource(file, found, readSourceWish(url, flags, '/srv'))
}

describe('the text of a host configuration with a source', () => {
  test('is written where there is none', () => {
    const text = add(undefined, ssh, { branch: 'main', path: './hosts/shop/', signers: 'signers' })
    expect(text).toMatchInlineSnapshot(`
      "# Written by reeve bootstrap. \`reeve explain HostConfiguration\` documents all fields.
      apiVersion: reeve/v1
      kind: HostConfiguration
      source:
        git:
          url: git@example.org:team/hosts.git
          branch: main
          path: hosts/shop
          auth:
            sshKey: deploy-key
            knownHosts: known-hosts
          verify:
            signers: /srv/signers
      "
    `)
    expect(read(text).source).toMatchObject({
      wish: { kind: 'branch', name: 'main' },
      access: { sshKey: '/etc/reeve/deploy-key', knownHosts: '/etc/reeve/known-hosts' },
      verify: { signers: { file: '/srv/signers' } },
    })
  })

  test('names no branch if the default one is to be followed, and no file of SSH for other transports', () => {
    expect(add(undefined, './hosts.git').split('\n').slice(3).join('\n')).toBe(
      'source:\n  git:\n    url: /srv/hosts.git\n',
    )
    expect(add(undefined, 'https://example.org/hosts.git', { tokenFile: 'token' })).toContain(
      '    auth:\n      tokenFile: /srv/token\n',
    )
  })

  test('keeps what stands there, with its comments', () => {
    const before = `# of this host\n${head}\n# who may do what\npolicy:\n  users:   # two\n    - web # the site\nresync: 1m\n`
    expect(add(before, '/srv/hosts.git')).toBe(`${before}source:\n  git:\n    url: /srv/hosts.git\n`)
  })

  test.each([
    ['{ "apiVersion": "reeve/v1", "kind": "HostConfiguration" }', 'in braces'],
    [`${head}resync: 1m\n...\n`, 'with an end'],
    [`${head}resync: 1m`, 'without an end of line'],
  ])('is valid after %j, a text %s', before => {
    expect(read(add(before, '/srv/hosts.git')).source).toMatchObject({ url: { text: '/srv/hosts.git' } })
  })

  test('gets only what is missing, and is the same if nothing is', () => {
    const before = `${head}source: { git: { url: "${ssh}", path: a, interval: 5m, auth: { sshKey: mine } } } # ours\n`
    const after = add(before, ssh)
    expect(after).toContain('auth: { sshKey: mine, knownHosts: known-hosts } } } # ours')
    for (const flags of [{}, { path: 'a' }]) expect(add(after, ssh, flags)).toBe(after)
    expect(add(after, ssh, { signers: '/s' })).toContain('verify: { signers: /s }')
  })

  test.each<[string, string, SourceFlags, string]>([
    ['manifests: /srv/manifests\n', ssh, {}, 'sets manifests, and'],
    ['source: { link: /srv/current }\n', ssh, {}, 'sets source.link, and'],
    [`source: { git: { url: /srv/other.git } }\n`, ssh, {}, `source.git.url: /srv/other.git, not ${ssh}`],
    [`source: { git: { url: "${ssh}" } }\n`, ssh, { branch: 'b' }, 'source.git without branch, not b'],
    [`source: { git: { url: "${ssh}", tag: v1 } }\n`, ssh, { branch: 'b' }, 'source.git without branch'],
    [`source: { git: { url: "${ssh}", path: a } }\n`, ssh, { path: 'b' }, 'source.git.path: a, not b'],
    [
      `source: { git: { url: "${ssh}", auth: { knownHosts: /a } } }\n`,
      ssh,
      { knownHosts: '/b' },
      'source.git.auth.knownHosts: /a, not /b',
    ],
    [
      `source: { git: { url: "${ssh}", verify: { gpgKeyring: /a } } }\n`,
      ssh,
      { signers: '/b' },
      'source.git without verify.signers',
    ],
  ])('is refused for one that says %j', (text, url, flags, message) => {
    expect(() => add(head + text, url, flags)).toThrow(message)
    expect(() => add(head + text, url, flags)).toThrow(join(file))
  })
})
