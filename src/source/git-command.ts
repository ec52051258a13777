import { dirname, join } from 'node:path'
import type { GitUrl } from '../core/model/git-url.ts'
import type { GitAccess } from '../core/model/source-configuration.ts'

export interface GitCommand {
  readonly command: readonly string[]
  /** The whole environment: nothing of Reeve's own reaches git. */
  readonly environment: Readonly<Record<string, string>>
}

export interface GitCommandOptions {
  /** Of the bare repository, absolute. Absent: none is needed. */
  readonly repository?: string
  /** An empty directory, absolute. */
  readonly home: string
  readonly searchPath: string
  /** Largest file that git may write, in bytes: a pack is one. */
  readonly fileLimit: number
  /** How much memory git may take, in bytes. Absent: any. */
  readonly memoryLimit?: number
  /** Git directory of another repository, absolute: its objects are read, and none is written there. */
  readonly alternate?: string
}

/** Settings that no configuration file, attribute or repository can change. */
const settings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.attributesFile=/dev/null',
  'core.askPass=',
  'safe.bareRepository=explicit',
  'transfer.fsckObjects=true',
  'fetch.recurseSubmodules=false',
  'fetch.writeCommitGraph=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'credential.helper=',
  'http.followRedirects=initial',
  'http.lowSpeedLimit=100',
  'http.lowSpeedTime=30',
  'protocol.allow=never',
] as const

/** A command on the local repository, which reaches no network. */
export function localGit(args: readonly string[], options: GitCommandOptions): GitCommand {
  return build(args, settings, options)
}

/** A command that talks to the remote `origin`, which is the URL, by that URL's transport alone. */
export function remoteGit(
  args: readonly string[],
  url: GitUrl,
  access: GitAccess,
  options: GitCommandOptions,
): GitCommand {
  const { transport } = url
  const own = [
    ...settings,
    `protocol.${transport}.allow=always`,
    `remote.origin.url=${url.text}`,
    ...(access.ca === undefined ? [] : [`http.sslCAInfo=${access.ca}`]),
    ...(access.tokenFile === undefined ? [] : [`credential.helper=${credentialHelper(access.tokenFile)}`]),
  ]
  const { command, environment } = build(args, own, options)
  return transport === 'ssh'
    ? { command, environment: { ...environment, GIT_SSH_COMMAND: sshCommand(access) } }
    : { command, environment }
}

/** Two local commands: what the first writes is the input of the second, whose end is that of both. */
export function pipedGit(first: readonly string[], second: readonly string[], options: GitCommandOptions): GitCommand {
  const pipe = [first, second].map(args => ['"$@"', ...args.map(shellWord)].join(' ')).join(' | ')
  return build([], settings, options, pipe)
}

function build(
  args: readonly string[],
  own: readonly string[],
  options: GitCommandOptions,
  run = 'exec "$@"',
): GitCommand {
  const { repository, home, searchPath, fileLimit, memoryLimit, alternate } = options
  // In blocks of 512 bytes: a larger file ends its writer.
  const files = `ulimit -f ${Math.ceil(fileLimit / 512)}`
  const memory = memoryLimit === undefined ? '' : ` && ulimit -v ${Math.ceil(memoryLimit / 1024)}`
  const limit = `${files}${memory} && ${run}`
  const place = repository === undefined ? [] : [`--git-dir=${repository}`]
  const git = ['git', ...place, '--no-pager', ...own.flatMap(setting => ['-c', setting]), ...args]
  return {
    command: ['/bin/sh', '-c', limit, 'sh', ...git],
    environment: {
      PATH: searchPath,
      HOME: home,
      // Above it, no repository is looked for.
      GIT_CEILING_DIRECTORIES: dirname(home),
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_ATTR_NOSYSTEM: '1',
      GIT_TERMINAL_PROMPT: '0',
      GIT_NO_REPLACE_OBJECTS: '1',
      GIT_OPTIONAL_LOCKS: '0',
      ...(alternate !== undefined && { GIT_ALTERNATE_OBJECT_DIRECTORIES: quotePath(join(alternate, 'objects')) }),
    },
  }
}

/** In a list of paths, a colon would end one. */
function quotePath(path: string): string {
  return `"${path.replace(/["\\]/g, '\\$&')}"`
}

function sshCommand({ sshKey, knownHosts = '/dev/null' }: GitAccess): string {
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${sshValue(knownHosts)}`,
    'GlobalKnownHostsFile=/dev/null',
    'UpdateHostKeys=no',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'ForwardAgent=no',
    'PermitLocalCommand=no',
    'ClearAllForwardings=yes',
    'ConnectTimeout=15',
    'ServerAliveInterval=10',
    'ServerAliveCountMax=3',
  ]
  const identity = sshKey === undefined ? [] : ['-i', sshKey]
  const words = ['ssh', '-F', '/dev/null', ...identity, ...options.flatMap(option => ['-o', option])]
  return words.map(shellWord).join(' ')
}

/** ssh itself takes a quoted value apart at blanks and percent signs. */
function sshValue(path: string): string {
  return `"${path.replaceAll('%', '%%')}"`
}

/** The token goes from its file to git through a pipe: it stands on no command line. */
function credentialHelper(tokenFile: string): string {
  const script = [
    'test "$1" = get || exit 0',
    `token=$(cat ${shellWord(tokenFile)}) || exit 1`,
    'case "$token" in *:*) name=$(printf %s "$token" | cut -d: -f1) token=$(printf %s "$token" | cut -d: -f2-) ;; *) name=x-access-token ;; esac',
    'printf "username=%s\\npassword=%s\\n" "$name" "$token"',
  ].join('; ')
  return `!f() { ${script}; }; f`
}

function shellWord(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
