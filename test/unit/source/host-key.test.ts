import { expect, test } from 'vitest'
import { readGitUrl } from '../../../src/core/model/git-url.ts'
import { knownHostName, parseHostKeys } from '../../../src/source/host-key.ts'

test.each([
  ['git@Example.org:team/hosts.git', 'example.org'],
  ['ssh://git@example.org/hosts.git', 'example.org'],
  ['ssh://git@example.org:22/hosts.git', 'example.org'],
  ['ssh://git@example.org:2222/hosts.git', '[example.org]:2222'],
  ['ssh://git@[2001:db8::1]/hosts.git', '2001:db8::1'],
  ['ssh://git@[2001:db8::1]:2222/hosts.git', '[2001:db8::1]:2222'],
])('the server of %s is known as %s', (text, name) => {
  const reading = readGitUrl(text)
  expect('url' in reading && knownHostName(reading.url)).toBe(name)
})

// The keys and fingerprints that GitHub publishes.
const ed25519 = 'AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl'
const ecdsa =
  'AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg='

test('keys are read from what ssh-keyscan writes, the preferred first, under the name that ssh looks for', () => {
  const text = `# github.com:22 SSH-2.0-x\ngithub.com ecdsa-sha2-nistp256 ${ecdsa}\ngithub.com ssh-dss AAAA\ngithub.com ssh-ed25519 ${ed25519}\nbroken\n`
  expect(parseHostKeys(text, '[github.com]:443')).toEqual([
    {
      type: 'ssh-ed25519',
      fingerprint: 'SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU',
      line: `[github.com]:443 ssh-ed25519 ${ed25519}`,
    },
    {
      type: 'ecdsa-sha2-nistp256',
      fingerprint: 'SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM',
      line: `[github.com]:443 ecdsa-sha2-nistp256 ${ecdsa}`,
    },
  ])
})
