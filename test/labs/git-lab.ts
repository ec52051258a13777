import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { connect, createServer as createTcpServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { eventually } from '../../src/conformance/eventually.ts'
import { readGitUrl } from '../../src/core/model/git-url.ts'
import { type Clock, createClock } from '../../src/host/clock.ts'
import { createWriteHost, type WriteHostOptions } from '../../src/host/write-host.ts'
import { type GitSource, type GitSourceOptions, openGitSource } from '../../src/source/git-source.ts'
import { manifestsLink } from '../../src/source/source-place.ts'
import { findFreePort } from '../tools/free-port.ts'

/** A bare repository, a working copy that pushes to it, and a directory for the source under test. */
export interface GitLab extends Disposable {
  readonly directory: string
  /** Path of the bare repository. */
  readonly upstream: string
  /** Writes files (undefined: deletes them), commits and pushes; returns the commit. */
  commit(files: Readonly<Record<string, string | undefined>>, options?: CommitOptions): string
  /** Runs git in the working copy. */
  git(...args: string[]): string
  /** Runs git in the bare repository. */
  upstreamGit(...args: string[]): string
  link(path: string, target: string): void
  /** Writes an object unchanged, and returns its id. */
  hash(type: string, content: string | Uint8Array): string
  /** Writes a shell script, and returns its path. */
  script(name: string, text: string): string
  /** A source of the repository; `url` absent: by its path. */
  open(options?: Partial<SourceLabOptions>): GitSource
  /** The same; undefined: it could not be opened. */
  tryOpen(options?: Partial<SourceLabOptions>): GitSource | undefined
  /** Content of a file in the current revision; undefined: there is none. */
  read(path: string): string | undefined
  readonly sourceDirectory: string
}

export interface CommitOptions {
  readonly message?: string
  /** Absent: main. */
  readonly branch?: string
  readonly isForced?: boolean
  /** Signer: `gpg.format` and `user.signingkey` of git. Absent: unsigned. */
  readonly signer?: Signer
  /** Date of the commit: ISO 8601. Absent: now. */
  readonly date?: string
}

export interface Signer {
  readonly format: 'ssh' | 'openpgp'
  /** File of an SSH key, or fingerprint of an OpenPGP one. */
  readonly key: string
}

export interface SourceLabOptions
  extends Pick<GitSourceOptions, 'access' | 'wish' | 'path' | 'limits' | 'verify' | 'admission' | 'findMarks'> {
  readonly url: string
  readonly clock: Clock
  readonly onEffect: WriteHostOptions['onEffect']
}

const mainBranch: GitSourceOptions['wish'] = { kind: 'branch', name: 'main' }

export const noSignal: AbortSignal = new AbortController().signal

export function createGitLab({ format = 'sha1' }: { format?: 'sha1' | 'sha256' } = {}): GitLab {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-git-'))
  const upstream = join(directory, 'upstream.git')
  const work = join(directory, 'work')
  const sourceDirectory = join(directory, 'state')
  const run = (date: string | undefined, ...args: string[]): string => {
    const dates = date === undefined ? {} : { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date }
    const env = { ...labEnvironment(directory), ...dates }
    return execFileSync('git', args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] })
  }
  run(undefined, 'init', '--quiet', '--bare', '--initial-branch=main', `--object-format=${format}`, upstream)
  run(undefined, 'init', '--quiet', '--initial-branch=main', `--object-format=${format}`, work)
  const upstreamGit = (...args: string[]): string => run(undefined, '--git-dir', upstream, ...args).trim()
  upstreamGit('config', 'uploadpack.allowFilter', 'true')
  const git = (...args: string[]): string => run(undefined, '-C', work, ...args).trim()
  git('remote', 'add', 'origin', upstream)

  function open({
    url = upstream,
    access = {},
    wish = mainBranch,
    path = '',
    ...rest
  }: Partial<SourceLabOptions> = {}): GitSource {
    const reading = readGitUrl(url)
    if ('problem' in reading) throw new Error(reading.problem)
    const host = createWriteHost(rest.onEffect ? { onEffect: rest.onEffect } : {})
    const { admission, findMarks, limits, verify, clock = createClock() } = rest
    return openGitSource({
      directory: sourceDirectory,
      url: reading.url,
      access,
      wish,
      path,
      host,
      clock,
      searchPath: process.env.PATH ?? '/usr/bin:/bin',
      ...(limits && { limits }),
      ...(verify && { verify }),
      ...(admission && { admission }),
      ...(findMarks && { findMarks }),
    })
  }

  return {
    directory,
    upstream,
    sourceDirectory,
    git,
    upstreamGit,
    commit(files, { message = 'Change manifests', branch = 'main', isForced = false, signer, date } = {}) {
      for (const [path, content] of Object.entries(files)) {
        const whole = join(work, path)
        if (content === undefined) rmSync(whole)
        else {
          mkdirSync(dirname(whole), { recursive: true })
          writeFileSync(whole, content)
        }
      }
      git('add', '--all')
      const sign = signer ? ['--gpg-sign'] : []
      run(date, '-C', work, ...signing(signer), 'commit', '--quiet', '--allow-empty', '--message', message, ...sign)
      git('push', '--quiet', ...(isForced ? ['--force'] : []), 'origin', `HEAD:refs/heads/${branch}`)
      return git('rev-parse', 'HEAD')
    },
    link(path, target) {
      mkdirSync(dirname(join(work, path)), { recursive: true })
      symlinkSync(target, join(work, path))
    },
    hash(type, content) {
      const path = join(directory, 'object')
      writeFileSync(path, content)
      return git('hash-object', '-t', type, '-w', '--literally', path)
    },
    script(name, text) {
      const path = join(directory, name)
      writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 })
      return path
    },
    open,
    tryOpen(options) {
      try {
        return open(options)
      } catch {
        return undefined
      }
    },
    read(path) {
      try {
        return readFileSync(join(manifestsLink(sourceDirectory), path), 'utf8')
      } catch {
        return undefined
      }
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** Options of git for the signer, to stand before its command. */
export function signing(signer: Signer | undefined): string[] {
  return signer ? ['-c', `gpg.format=${signer.format}`, '-c', `user.signingkey=${signer.key}`] : []
}

function labEnvironment(directory: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: directory,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Ada Author',
    GIT_AUTHOR_EMAIL: 'ada@example.org',
    GIT_COMMITTER_NAME: 'Ada Author',
    GIT_COMMITTER_EMAIL: 'ada@example.org',
  }
}

/** Accepts connections, and sends nothing. */
export async function serveNothing(onConnection: () => void = () => {}): Promise<GitServer> {
  const server = createTcpServer(socket => {
    socket.resume()
    onConnection()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `git://127.0.0.1:${address.port}/upstream.git`,
    async [Symbol.asyncDispose]() {
      await new Promise(resolve => server.close(resolve))
    },
  }
}

export interface GitServer extends AsyncDisposable {
  readonly url: string
}

/** `git daemon`: anybody may read, without authentication. */
export async function serveByDaemon(lab: GitLab): Promise<GitServer> {
  const port = await findFreePort()
  const child = spawn(
    'git',
    [
      'daemon',
      '--export-all',
      `--base-path=${lab.directory}`,
      '--listen=127.0.0.1',
      `--port=${port}`,
      '--reuseaddr',
      lab.directory,
    ],
    { stdio: 'ignore', detached: true },
  )
  await untilListening(port)
  return { url: `git://127.0.0.1:${port}/upstream.git`, [Symbol.asyncDispose]: () => endGroup(child) }
}

export interface SshServer extends GitServer {
  readonly sshKey: string
  readonly knownHosts: string
  /** Fingerprint of the server's key. */
  readonly fingerprint: string
  /** Accepts these keys, lines of public keys, and no others from now on. */
  authorize(publicKeys: string): void
  /** Files of keys that the server doesn't accept, and of other hosts. */
  readonly wrong: { readonly sshKey: string; readonly knownHosts: string }
}

/** A real sshd on loopback with keys of its own. `authorized`: file of the keys that it accepts; absent: that of the lab. */
export async function serveBySsh(lab: GitLab, options: { readonly authorized?: string } = {}): Promise<SshServer> {
  const directory = mkdtempSync(join(lab.directory, 'ssh-'))
  const makeKey = (name: string): string => {
    const path = join(directory, name)
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path])
    return path
  }
  const [hostKey, sshKey, otherHost, otherKey] = [
    makeKey('host'),
    makeKey('deploy'),
    makeKey('other-host'),
    makeKey('other'),
  ]
  const own = join(directory, 'authorized_keys')
  const authorize = (publicKeys: string): void => writeFileSync(own, publicKeys, { mode: 0o600 })
  authorize(readFileSync(`${sshKey}.pub`, 'utf8'))
  const port = await findFreePort()
  const configuration = join(directory, 'sshd_config')
  const settings = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${options.authorized ?? own}`,
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'StrictModes no',
    'UsePAM no',
    `PidFile ${join(directory, 'pid')}`,
  ]
  writeFileSync(configuration, `${settings.join('\n')}\n`)
  // sshd requires it, and the init system of the host usually creates it.
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', configuration], { stdio: 'ignore', detached: true })
  await untilListening(port)
  const knownAs = (key: string): string => {
    const path = join(directory, `known-${key.split('/').at(-1)}`)
    writeFileSync(path, `[127.0.0.1]:${port} ${readFileSync(`${key}.pub`, 'utf8')}`)
    return path
  }
  return {
    url: `ssh://${userInfo().username}@127.0.0.1:${port}${lab.upstream}`,
    sshKey,
    knownHosts: knownAs(hostKey),
    fingerprint: execFileSync('ssh-keygen', ['-lf', hostKey], { encoding: 'utf8' }).split(' ')[1] ?? '',
    authorize,
    wrong: { sshKey: otherKey, knownHosts: knownAs(otherHost) },
    [Symbol.asyncDispose]: () => endGroup(child),
  }
}

export interface HttpsServer extends GitServer {
  /** Certificate of its own authority. */
  readonly ca: string
  /** Credentials that it requires from now on; undefined: none. */
  setToken(token: string | undefined): void
  /** Authorization headers of all requests. */
  readonly seen: readonly string[]
}

/** git's own HTTP server behind TLS. */
export async function serveByHttps(lab: GitLab): Promise<HttpsServer> {
  const directory = mkdtempSync(join(lab.directory, 'https-'))
  const [key, ca] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', ca, ...subject],
    {
      stdio: 'ignore',
    },
  )
  let token: string | undefined
  const seen: string[] = []
  const server: Server = createServer({ key: readFileSync(key), cert: readFileSync(ca) }, (request, response) => {
    const given = request.headers.authorization ?? ''
    seen.push(given)
    const wanted = token === undefined ? undefined : `Basic ${Buffer.from(token).toString('base64')}`
    if (wanted !== undefined && given !== wanted) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
      return
    }
    const url = new URL(request.url ?? '/', 'https://127.0.0.1')
    const backend = spawn('git', ['http-backend'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {
        PATH: process.env.PATH,
        GIT_PROJECT_ROOT: lab.directory,
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        PATH_INFO: decodeURIComponent(url.pathname),
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
        REMOTE_ADDR: '127.0.0.1',
      },
    })
    request.pipe(backend.stdin)
    const chunks: Buffer[] = []
    backend.stdout.on('data', chunk => chunks.push(chunk))
    backend.stdout.on('end', () => {
      const whole = Buffer.concat(chunks)
      const end = whole.indexOf('\r\n\r\n')
      let status = 200
      for (const line of whole.toString('latin1', 0, end).split('\r\n')) {
        const [name = '', value = ''] = line.split(': ')
        if (name === 'Status') status = Number.parseInt(value, 10)
        else response.setHeader(name, value)
      }
      response.writeHead(status).end(whole.subarray(end + 4))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `https://127.0.0.1:${address.port}/upstream.git`,
    ca,
    seen,
    setToken(next) {
      token = next
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

async function untilListening(port: number): Promise<void> {
  await eventually(
    `port ${port} to listen`,
    () =>
      new Promise<boolean>(resolve => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.destroy()
          resolve(true)
        })
        socket.once('error', () => resolve(false))
      }),
  )
}

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return
  const ended = new Promise(resolve => child.once('exit', resolve))
  process.kill(-child.pid, 'SIGKILL')
  await ended
}
