/** Where a repository is, as the host's owner wrote it, checked. */
export interface GitUrl {
  /** A directory's may be relative. */
  readonly text: string
  readonly transport: 'https' | 'http' | 'ssh' | 'git' | 'file'
  /** Absent: a directory of this host. */
  readonly host?: string
  /** Absent: the transport's own. */
  readonly port?: number
}

export type UrlReading = { readonly url: GitUrl } | { readonly problem: string }

const forms = 'https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH, git://HOST/PATH or a directory (/PATH, ./PATH)'

/** Host names and addresses. A leading dash would be an option of ssh. */
const hostForm = /^(?!-)[A-Za-z0-9._-]+$|^\[[0-9A-Fa-f:.]+\]$/
const userForm = /^(?!-)[A-Za-z0-9._+-]+$/

/**
 * Reads a URL as git does, but for what must not be in one: a password, which would stand in logs and process lists, and
 * transports that run commands of the URL's choice (`ext::`).
 */
export function readGitUrl(text: string): UrlReading {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\u0000-\u0020\u007f]/.test(text)) return { problem: 'a URL holds no spaces and no control characters' }
  if (/^\.{0,2}\//.test(text)) return { url: { text, transport: 'file' } }
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text)) return readFullUrl(text)
  return readShortUrl(text)
}

function readFullUrl(text: string): UrlReading {
  const parsed = URL.canParse(text) ? new URL(text) : undefined
  const transport = parsed?.protocol.slice(0, -1)
  if (!parsed || !isTransport(transport)) return { problem: `expected ${forms}, found ${redactUrl(text)}` }
  const { username, password, hostname, port, pathname, search, hash } = parsed
  if (password !== '') return { problem: 'a URL must not hold a password: put it into a file, and name that in auth' }
  if (search !== '' || hash !== '') return { problem: 'a URL of a repository has neither ? nor #' }
  if (pathname === '' || pathname === '/') return { problem: `expected the path of a repository in ${redactUrl(text)}` }
  if (transport === 'file') {
    return hostname === '' ? { url: { text, transport } } : { problem: 'a file URL names no host' }
  }
  if (transport !== 'ssh' && username !== '') {
    return { problem: `only ssh URLs name a user: put the name and the token into a file, and name that in auth` }
  }
  if (!hostForm.test(hostname)) return { problem: `${hostname} is no host name` }
  if (username !== '' && !userForm.test(username)) return { problem: `${username} is no user name` }
  return { url: { text, transport, host: hostname, ...(port !== '' && { port: Number(port) }) } }
}

/** The short form of ssh URLs: USER@HOST:PATH. */
function readShortUrl(text: string): UrlReading {
  const [, user, host = '', path = ''] = /^(?:([^@:/]+)@)?([^:/]+):(.+)$/.exec(text) ?? []
  // `ext::COMMAND` and its like run a helper.
  if (!hostForm.test(host) || (user !== undefined && !userForm.test(user)) || /^[:-]/.test(path)) {
    return { problem: `expected ${forms}, found ${redactUrl(text)}` }
  }
  return { url: { text, transport: 'ssh', host } }
}

function isTransport(word: string | undefined): word is GitUrl['transport'] {
  return word === 'https' || word === 'http' || word === 'ssh' || word === 'git' || word === 'file'
}

/** For messages: without what may be a password. */
function redactUrl(text: string): string {
  return text.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/)[^/@]*@/, '$1…@')
}
