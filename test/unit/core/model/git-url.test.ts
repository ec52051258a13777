import { describe, expect, test } from 'vitest'
import { readGitUrl } from '../../../../src/core/model/git-url.ts'

describe('the URL of a repository', () => {
  test.each([
    ['https://example.org/team/hosts.git', 'https', 'example.org'],
    ['https://example.org:8443/hosts', 'https', 'example.org', 8443],
    ['ssh://git@example.org:2222/team/hosts.git', 'ssh', 'example.org', 2222],
    ['ssh://example.org/~ada/hosts.git', 'ssh', 'example.org'],
    ['git@example.org:team/hosts.git', 'ssh', 'example.org'],
    ['example.org:hosts.git', 'ssh', 'example.org'],
    ['git://[::1]/hosts.git', 'git', '[::1]'],
    ['/srv/git/hosts.git', 'file', undefined],
    ['../hosts.git', 'file', undefined],
    ['file:///srv/git/hosts.git', 'file', undefined],
  ])('%s is accessed by %s', (text, transport, host, port?: number) => {
    const server = { ...(host !== undefined && { host }), ...(port !== undefined && { port }) }
    expect(readGitUrl(text)).toEqual({ url: { text, transport, ...server } })
  })

  test.each([
    [
      'https://ada:s3cret@example.org/hosts.git',
      'a URL must not hold a password: put it into a file, and name that in auth',
    ],
    [
      'ssh://git:s3cret@example.org/hosts.git',
      'a URL must not hold a password: put it into a file, and name that in auth',
    ],
    [
      'https://ada@example.org/hosts.git',
      'only ssh URLs name a user: put the name and the token into a file, and name that in auth',
    ],
    ['https://example.org/', 'expected the path of a repository in https://example.org/'],
    ['https://example.org/hosts?ref=main', 'a URL of a repository has neither ? nor #'],
    ['file://server/hosts.git', 'a file URL names no host'],
    ['https://example.org/ho sts', 'a URL holds no spaces and no control characters'],
    ['https://example.org/hosts\n', 'a URL holds no spaces and no control characters'],
    ['ssh://-oProxyCommand=touch/hosts.git', expect.stringMatching(/is no host name|^expected https:/)],
    ['-oProxyCommand=x:hosts.git', expect.stringMatching(/^expected https:.*found -oProxyCommand=x:hosts.git$/)],
    ['-x@example.org:hosts.git', expect.stringMatching(/^expected https:/)],
    ['ext::sh -c touch', 'a URL holds no spaces and no control characters'],
    ['ext::touch', expect.stringMatching(/^expected https:.*found ext::touch$/)],
    ['fd::17', expect.stringMatching(/^expected https:/)],
    ['--upload-pack=touch', expect.stringMatching(/^expected https:/)],
    ['ftp://ada:s3cret@example.org/hosts', expect.stringMatching(/found ftp:\/\/…@example.org\/hosts$/)],
    ['hosts.git', expect.stringMatching(/^expected https:/)],
    ['', expect.stringMatching(/^expected https:/)],
  ])('%j is refused', (text, problem) => {
    expect(readGitUrl(text)).toEqual({ problem })
  })
})
