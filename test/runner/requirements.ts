import { type SpawnSyncOptions, spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { findBootProblem } from '../systemd-lab/machine.ts'

/** Requirements of some tests on the machine. */
interface Requirement {
  readonly what: string
  isMet(): boolean
  /** Debian package that contains it. */
  readonly debian?: string
  readonly without: string
  why?(): string | undefined
}

const requirements: readonly Requirement[] = [
  {
    what: 'root',
    isMet: () => process.geteuid?.() === 0,
    without: 'tests of users, of what root refuses, and of rights',
  },
  { what: 'tmux', isMet: () => has('tmux'), debian: 'tmux', without: 'tests of what terminals show' },
  { what: 'zsh', isMet: () => has('zsh'), debian: 'zsh', without: 'tests of completion in zsh' },
  { what: 'fish', isMet: () => has('fish'), debian: 'fish', without: 'tests of completion in fish' },
  { what: 'openssl', isMet: () => has('openssl'), debian: 'openssl', without: 'tests of health checks over TLS' },
  { what: 'strace', isMet: () => has('strace'), debian: 'strace', without: 'proofs that looking writes nothing' },
  { what: 'git', isMet: () => has('git'), debian: 'git', without: 'tests of Git repositories as sources' },
  {
    what: 'gpg',
    isMet: () => has('gpg') && has('gpgv'),
    debian: 'gnupg',
    without: 'tests of commits signed by OpenPGP',
  },
  {
    what: 'promtool',
    isMet: () => has('promtool'),
    debian: 'prometheus',
    without: 'tests of alerts and of the dashboard',
  },
  {
    what: 'sshd',
    isMet: () => has('/usr/sbin/sshd'),
    debian: 'openssh-server',
    without: 'tests of Git repositories over SSH',
  },
  {
    what: 'systemd-notify',
    isMet: () => has('systemd-notify'),
    debian: 'systemd',
    without: 'the test of sd_notify over a real socket',
  },
  {
    what: 'runit',
    isMet: () => has('runsvdir'),
    debian: 'runit',
    without: 'all tests on a real runit',
  },
  {
    what: 'daemontools',
    isMet: () => has('svscan'),
    debian: 'daemontools',
    without: 'all tests on a real daemontools',
  },
  {
    what: 's6',
    isMet: () => has('s6-svscan'),
    debian: 's6',
    without: 'all tests on a real s6',
  },
  {
    what: 'debootstrap',
    isMet: () => has('debootstrap'),
    debian: 'debootstrap',
    without: 'all tests on a real systemd',
  },
  {
    what: 'rights to boot a systemd in namespaces of its own',
    isMet: () => findBootProblem() === undefined,
    why: findBootProblem,
    without: 'all tests on a real systemd',
  },
]

/**
 * Setup before the tests that use the machine: as root, installs what is missing; reports what is skipped without the rest.
 * With CI=true nothing is skipped: a missing requirement fails the run.
 */
export function setup(): void {
  const packages = requirements.flatMap(({ isMet, debian }) => (isMet() || debian === undefined ? [] : debian))
  if (packages.length > 0 && process.geteuid?.() === 0 && has('apt-get')) install(packages)
  const missing = requirements.filter(({ isMet }) => !isMet())
  for (const { what, without, why } of missing) {
    const reason = why === undefined ? '' : ` (${why()})`
    console.warn(`not here: ${what}${reason}. Skipped without it: ${without}`)
  }
  if (missing.length > 0 && process.env.CI === 'true') {
    throw new Error(`CI=true skips no test, and this machine lacks: ${missing.map(({ what }) => what).join(', ')}`)
  }
}

export function install(packages: readonly string[]): void {
  console.warn(`installing ${packages.join(', ')} with apt-get`)
  const options: SpawnSyncOptions = {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  }
  using _services = keepServicesStopped()
  spawnSync('apt-get', ['update', '-qq'], options)
  spawnSync('apt-get', ['install', '-qq', '-y', '--no-install-recommends', ...packages], options)
}

/** What packages bring as services is for tests to start, not for this machine: Debian asks this program whether it may. */
function keepServicesStopped(): Disposable {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return { [Symbol.dispose]() {} }
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  return { [Symbol.dispose]: () => rmSync(policy) }
}

export function has(program: string): boolean {
  return spawnSync('/bin/sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0
}
