import { describe, expect, test } from 'vitest'
import { classifyFailure } from '../../../src/source/git-failure.ts'

describe('an error message of git', () => {
  test.each([
    ["fatal: unable to access 'https://x/': Could not resolve host: x", 'Unreachable'],
    [
      'ssh: connect to host x port 22: Connection timed out\r\nfatal: Could not read from remote repository.',
      'Unreachable',
    ],
    ["fatal: unable to access 'https://x/': The requested URL returned error: 503", 'Unreachable'],
    ["fatal: unable to access 'https://x/': The requested URL returned error: 403", 'AuthenticationFailed'],
    ["remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://x/'", 'AuthenticationFailed'],
    ["fatal: could not read Username for 'https://x': terminal prompts disabled", 'AuthenticationFailed'],
    ['git@x: Permission denied (publickey).\r\nfatal: Could not read from remote repository.', 'AuthenticationFailed'],
    [
      '@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\nfatal: Could not read',
      'HostKeyRejected',
    ],
    ["fatal: unable to access 'https://x/': SSL certificate problem: certificate has expired", 'CertificateRejected'],
    ['ERROR: Repository not found.\nfatal: Could not read from remote repository.', 'RepositoryNotFound'],
    ["fatal: repository 'https://x/y' not found", 'RepositoryNotFound'],
    [
      "remote: ERROR: The project you were looking for could not be found or you don't have permission to view it.\nfatal: Could not read from remote repository.",
      'RepositoryNotFound',
    ],
    ['Gitea: Cannot find repository: ada/hosts\nfatal: Could not read from remote repository.', 'RepositoryNotFound'],
    ['fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output', 'DiskFull'],
    ["fatal: detected dubious ownership in repository at '/srv/git/x.git'\nTo add an exception", 'FetchFailed'],
    ['error: object file objects/ab/cd is empty\nfatal: bad object', 'Corrupt'],
    ["fatal: Unable to create '/x/shallow.lock': File exists.", 'Corrupt'],
    ['fatal: something that nobody has thought of', 'FetchFailed'],
    ['', 'FetchFailed'],
  ])('%j means %s', (stderr, reason) => {
    const failure = classifyFailure(stderr)
    expect(failure.reason).toBe(reason)
    expect(failure.message).toMatch(/^[^\r\n]+$/)
  })

  test('is preceded by its cause, and followed by what to do', () => {
    expect(classifyFailure('git@x: Permission denied (publickey).\r\nfatal: Could not read').message).toBe(
      'git@x: Permission denied (publickey); check that the key or token in auth is right, has not expired, and may read the repository',
    )
  })
})
