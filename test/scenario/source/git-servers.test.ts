import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { GitSource } from '../../../src/source/git-source.ts'
import { createGitLab, noSignal, serveByDaemon, serveByHttps, serveBySsh } from '../../labs/git-lab.ts'

const conditionOf = (source: GitSource): { reason: string; message: string } => source.status().condition

describe('git daemon', () => {
  test('serves a repository, and its next commits', async () => {
    using lab = createGitLab()
    const first = lab.commit({ 'web.yaml': 'a' })
    await using server = await serveByDaemon(lab)
    const source = lab.open({ url: server.url })
    await source.sync(noSignal)
    expect(conditionOf(source)).toEqual(expect.objectContaining({ reason: 'UpToDate' }))
    expect(source.status().revision?.commit).toBe(first)
    lab.commit({ 'web.yaml': 'b' })
    expect(await source.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBe('b')
  })

  test('that is down is reported, and the current revision stays in force', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'a' })
    const server = await serveByDaemon(lab)
    const source = lab.open({ url: server.url })
    await source.sync(noSignal)
    const { fetchedAt } = source.status()
    await server[Symbol.asyncDispose]()
    await source.sync(noSignal)
    expect(conditionOf(source)).toMatchObject({
      reason: 'Unreachable',
      message: expect.stringMatching(/^git:.*Connection refused; check the network and the server$/),
    })
    expect(source.status()).toMatchObject({ fetchedAt, revision: { subject: 'Change manifests' } })
    expect(lab.read('web.yaml')).toBe('a')
  })
})

describe.runIf(existsSync('/usr/sbin/sshd'))('ssh', () => {
  test('serves a repository to the deploy key, and to no other', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'a' })
    await using server = await serveBySsh(lab)
    const { sshKey, knownHosts, wrong } = server
    const source = lab.open({ url: server.url, access: { sshKey, knownHosts } })
    await source.sync(noSignal)
    expect(conditionOf(source)).toEqual(expect.objectContaining({ reason: 'UpToDate' }))
    expect(lab.read('web.yaml')).toBe('a')

    const stranger = lab.open({ url: server.url, access: { sshKey: wrong.sshKey, knownHosts } })
    await stranger.sync(noSignal)
    expect(conditionOf(stranger)).toMatchObject({
      reason: 'AuthenticationFailed',
      message: expect.stringContaining('Permission denied (publickey); check that the key or token in auth is right'),
    })
  })

  test('restores a lost local copy from a server that serves only what a reference leads to', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'a' })
    await using server = await serveBySsh(lab)
    const source = lab.open({ url: server.url, access: server })
    await source.sync(noSignal)
    lab.commit({ 'web.yaml': 'b' })
    lab.commit({ 'web.yaml': 'c' })
    rmSync(join(lab.sourceDirectory, 'git'), { recursive: true })
    const anew = lab.open({ url: server.url, access: server })
    expect(await anew.sync(noSignal)).toBe(true)
    expect(lab.read('web.yaml')).toBe('c')
    lab.git('reset', '--quiet', '--hard', 'HEAD~2')
    lab.commit({ 'web.yaml': 'd' }, { isForced: true })
    rmSync(join(lab.sourceDirectory, 'git'), { recursive: true })
    const again = lab.open({ url: server.url, access: server })
    await again.sync(noSignal)
    expect(conditionOf(again)).toMatchObject({ reason: 'NotFastForward' })
  })

  test('with another host key, or without a known key, is refused', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'a' })
    await using server = await serveBySsh(lab)
    const { sshKey, wrong } = server
    for (const access of [{ sshKey, knownHosts: wrong.knownHosts }, { sshKey }]) {
      const source = lab.open({ url: server.url, access })
      await source.sync(noSignal)
      expect(conditionOf(source)).toMatchObject({
        reason: 'HostKeyRejected',
        message: expect.stringContaining('Host key verification failed'),
      })
    }
  })

  test('refuses a key that others can read, with a message', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'a' })
    await using server = await serveBySsh(lab)
    chmodSync(server.sshKey, 0o644)
    const source = lab.open({ url: server.url, access: server })
    await source.sync(noSignal)
    expect(conditionOf(source)).toMatchObject({ reason: 'AuthenticationFailed' })
  })
})

describe('https', () => {
  test('serves a repository to the token, which is on no command line', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'a' })
    await using server = await serveByHttps(lab)
    server.setToken('x-access-token:s3cret')
    const tokenFile = join(lab.directory, 'token')
    writeFileSync(tokenFile, 's3cret\n', { mode: 0o600 })
    const commands: string[] = []
    const source = lab.open({
      url: server.url,
      access: { ca: server.ca, tokenFile },
      onEffect: ({ target }) => void commands.push(target),
    })
    await source.sync(noSignal)
    expect(conditionOf(source)).toEqual(expect.objectContaining({ reason: 'UpToDate' }))
    expect(commands.join('\n')).not.toContain('s3cret')

    server.setToken('x-access-token:another')
    lab.commit({ 'web.yaml': 'b' })
    await source.sync(noSignal)
    expect(conditionOf(source)).toMatchObject({ reason: 'AuthenticationFailed' })
    expect(JSON.stringify(source.status())).not.toContain('s3cret')

    writeFileSync(tokenFile, 'x-access-token:another')
    expect(await source.sync(noSignal)).toBe(true)
  })

  test('accepts a token file that names the user', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'a' })
    await using server = await serveByHttps(lab)
    server.setToken('robot:with:colons')
    const tokenFile = join(lab.directory, 'token')
    writeFileSync(tokenFile, 'robot:with:colons\n', { mode: 0o600 })
    const source = lab.open({ url: server.url, access: { ca: server.ca, tokenFile } })
    await source.sync(noSignal)
    expect(conditionOf(source)).toEqual(expect.objectContaining({ reason: 'UpToDate' }))
  })

  test('with a certificate of an unknown authority is refused', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'a' })
    await using server = await serveByHttps(lab)
    const source = lab.open({ url: server.url })
    await source.sync(noSignal)
    expect(conditionOf(source)).toMatchObject({ reason: 'CertificateRejected' })
  })

  test('without the repository is reported', async () => {
    using lab = createGitLab()
    lab.commit({ 'web.yaml': 'a' })
    await using server = await serveByHttps(lab)
    const source = lab.open({ url: server.url.replace('upstream', 'another'), access: { ca: server.ca } })
    await source.sync(noSignal)
    expect(conditionOf(source)).toMatchObject({ reason: 'RepositoryNotFound' })
  })
})
