import type { GitUrl } from './git-url.ts'

/** Where the manifests come from, as the host's owner says: `source` of the host configuration. */
export type SourceConfiguration = GitSourceConfiguration | LinkConfiguration

export interface GitSourceConfiguration {
  readonly type: 'git'
  readonly url: GitUrl
  readonly wish: ReferenceWish
  /** Of the manifests, below the repository's top. Empty: the top. */
  readonly path: string
  /** Between two times that the repository is asked, in milliseconds. */
  readonly interval: number
  readonly access: GitAccess
  /** Absent: whoever can push decides. */
  readonly verify?: VerifyConfiguration
  /** Where the forge tells of pushes, at `listen`. Absent: nowhere. */
  readonly webhook?: { readonly secretFile: string }
}

/** Whose signatures commits need. */
export interface VerifyConfiguration {
  /**
   * Which ones: every commit since the revision in force; those of the first-parent line, so that a merge answers for what it merges;
   * the newest one alone; or the tag that leads to it, in place of commits.
   */
  readonly commits: 'every' | 'first-parent' | 'head' | 'tag'
  readonly signers: SignerConfiguration
  /** The commit from which on they are needed, for the first revision. Absent: from that one on. */
  readonly start?: string
  /** How old the newest commit may be, in milliseconds, before that is told. Absent: any age. */
  readonly maxAge?: number
}

/** Files of keys, absolute. */
export interface SignerConfiguration {
  /** In the form of ssh's `allowed_signers`. */
  readonly file?: string
  /** SSH keys that don't count any more: public keys, or a key revocation list. */
  readonly revoked?: string
  /** Of OpenPGP, as gpgv reads it. */
  readonly keyring?: string
}

/** A symlink that somebody else swaps, as git-sync does; the name of what it leads to is the revision. */
export interface LinkConfiguration {
  readonly type: 'link'
  /** Absolute. */
  readonly path: string
}

/** Which revision of a repository is wanted. */
export type ReferenceWish =
  | { readonly kind: 'default-branch' }
  | { readonly kind: 'branch'; readonly name: string }
  | { readonly kind: 'tag'; readonly name: string }
  /** The newest tag (`1.2.3` or `v1.2.3`) in a range of npm's form: `^1.2`, `~2.0.1`, `>=1 <3`. */
  | { readonly kind: 'semver'; readonly range: string }

/** How Reeve shows who it is to the server, and how it knows that it is the right one. Files are absolute. */
export interface GitAccess {
  readonly sshKey?: string
  readonly knownHosts?: string
  /** Holds a token, or NAME:TOKEN. */
  readonly tokenFile?: string
  /** Certificates that a server's may be signed by, instead of those of the host. */
  readonly ca?: string
}
