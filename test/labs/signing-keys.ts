import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { GitLab, Signer } from './git-lab.ts'

/** Real keys, and the files with their permissions. */
export interface SigningKeys {
  /** In the form of ssh-keygen's allowed_signers. */
  readonly signers: string
  readonly revoked: string
  /** Binary OpenPGP keys. */
  readonly keyring: string
  /**
   * Creates an SSH key. `options`: of its line in the file of signers, `valid-before="20200101"`; undefined: it gets no
   * line.
   */
  addSsh(name: string, options?: string, type?: readonly string[]): Signer
  /** Creates an OpenPGP key, and adds it to the key ring. `expires`: `never`, or a date in gpg's format. */
  addGpg(name: string, options?: { readonly expires?: string; readonly madeAt?: string }): Signer
  /** Rewrites the file of signers without that one. */
  remove(name: string): void
  revoke(key: Signer): void
}

export function createSigningKeys(lab: GitLab): SigningKeys {
  const directory = join(lab.directory, 'keys')
  // gpg looks for its home where the lab's git has its own.
  const home = join(lab.directory, '.gnupg')
  mkdirSync(directory, { mode: 0o700 })
  mkdirSync(home, { mode: 0o700 })
  const [signers, revoked, keyring] = ['signers', 'revoked', 'keyring.gpg'].map(name => join(directory, name)) as [
    string,
    string,
    string,
  ]
  const lines = new Map<string, string>()
  const writeSigners = (): void => writeFileSync(signers, [...lines.values()].join(''))
  writeSigners()
  writeFileSync(revoked, '')
  writeFileSync(keyring, '')
  const gpg = (...args: string[]): Buffer =>
    execFileSync('gpg', ['--homedir', home, '--batch', '--quiet', '--no-tty', ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  return {
    signers,
    revoked,
    keyring,
    addSsh(name, options = '', type = ['-t', 'ed25519']) {
      const key = join(directory, name)
      execFileSync('ssh-keygen', ['-q', ...type, '-N', '', '-C', name, '-f', key])
      const [kind, blob] = readFileSync(`${key}.pub`, 'utf8').split(' ')
      if (options !== 'unknown') lines.set(name, `${name}@example.org ${options} ${kind} ${blob}\n`)
      writeSigners()
      return { format: 'ssh', key }
    },
    addGpg(name, { expires = 'never', madeAt } = {}) {
      const user = `${name} <${name}@example.org>`
      const fake = madeAt === undefined ? [] : ['--faked-system-time', madeAt]
      gpg(...fake, '--passphrase', '', '--quick-generate-key', user, 'ed25519', 'sign', expires)
      const fingerprint = /^fpr:+([0-9A-F]+):/m.exec(gpg('--with-colons', '--list-keys', user).toString())?.[1] ?? ''
      writeFileSync(keyring, gpg('--export'))
      return { format: 'openpgp', key: fingerprint }
    },
    remove(name) {
      lines.delete(name)
      writeSigners()
    },
    revoke({ key }) {
      writeFileSync(revoked, readFileSync(`${key}.pub`))
    },
  }
}
