/** Why a revision could not be had. Everything but `Corrupt` is told and tried again later; what is in force goes on. */
export type SourceReason =
  | 'Unreachable'
  | 'HostKeyRejected'
  | 'CertificateRejected'
  | 'AuthenticationFailed'
  | 'RepositoryNotFound'
  | 'ReferenceNotFound'
  | 'NotFastForward'
  | 'Untrusted'
  | 'TreeRefused'
  | 'TooLarge'
  | 'DiskFull'
  | 'TimedOut'
  | 'Corrupt'
  | 'FetchFailed'

interface Sign {
  readonly reason: SourceReason
  readonly pattern: RegExp
  readonly advice: string
}

/** What git, ssh and curl write, in the order in which it is looked for: a cause often stands beside its consequences. */
const signs: readonly Sign[] = [
  {
    reason: 'DiskFull',
    pattern: /No space left on device|Disk quota exceeded|Read-only file system/i,
    advice: 'free some space where the state directory is',
  },
  {
    reason: 'HostKeyRejected',
    pattern: /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i,
    advice: 'compare the key of the server with that in knownHosts; put the right one there',
  },
  {
    reason: 'CertificateRejected',
    pattern:
      /SSL certificate problem|server certificate verification failed|certificate (?:has expired|verify failed)|SSL: no alternative certificate/i,
    advice: 'install the certificate of its authority, or name it in auth.ca',
  },
  {
    reason: 'AuthenticationFailed',
    pattern:
      /Permission denied \(|Authentication failed|could not read (?:Username|Password)|returned error: 40[13]|Too many authentication failures|error in libcrypto|UNPROTECTED PRIVATE KEY|Load key/i,
    advice: 'check that the key or token in auth is right, has not expired, and may read the repository',
  },
  {
    reason: 'RepositoryNotFound',
    pattern:
      /repository .*not found|does not appear to be a git repository|returned error: 404|not exported|access denied or repository|cannot find repository|don't have permission to view/i,
    advice: 'check the URL, and that the key or token in auth may read the repository',
  },
  {
    reason: 'FetchFailed',
    pattern: /detected dubious ownership/i,
    advice: 'give the repository to the user who runs Reeve, or read it over ssh as its owner',
  },
  {
    reason: 'TooLarge',
    pattern: /File size limit exceeded|pack exceeds maximum allowed size|Out of memory|signal 25|died of signal 25/i,
    advice: 'the repository is larger than Reeve takes: keep manifests in one of their own',
  },
  {
    reason: 'Unreachable',
    pattern:
      /Could not resolve host|Temporary failure in name resolution|Name or service not known|Connection (?:refused|timed out|reset|closed)|No route to host|Network is unreachable|unable to connect|Failed to connect|Operation too slow|Could(?:n't| not) connect|unexpected disconnect|early EOF|hung up unexpectedly|kex_exchange|returned error: 5\d\d|Empty reply/i,
    advice: 'check the network and the server',
  },
  {
    reason: 'Corrupt',
    pattern:
      /object file .* is empty|loose object .* is corrupt|packfile .* (?:is truncated|cannot be|not available)|inflate: data stream error|bad object|unable to (?:read|find) [0-9a-f]{40}|index-pack died|invalid index-pack|not a git repository|shallow file has changed|Unable to create '.*\.lock'|unable to parse config|bad config/i,
    advice: 'it is made anew',
  },
]

export interface GitFailure {
  readonly reason: SourceReason
  /** One line for people: what git said of it, and what to do. */
  readonly message: string
}

/** Finds the cause in what git wrote to stderr. */
export function classifyFailure(stderr: string): GitFailure {
  const lines = stderr.split('\n').filter(line => line.trim() !== '')
  for (const { reason, pattern, advice } of signs) {
    const line = lines.findLast(one => pattern.test(one))
    if (line !== undefined) return { reason, message: `${tidy(line)}; ${advice}` }
  }
  const told = lines.find(line => /^(?:fatal|error):/.test(line)) ?? lines.at(-1)
  return { reason: 'FetchFailed', message: told === undefined ? 'git failed without a word' : tidy(told) }
}

const longestLine = 300

function tidy(line: string): string {
  const text = line
    .replace(/^(?:(?:fatal|error|remote): *)+/, '')
    .trim()
    .replace(/\.$/, '')
  return text.length > longestLine ? `${text.slice(0, longestLine)}…` : text
}
