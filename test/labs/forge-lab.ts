import { createServer, type IncomingMessage } from 'node:http'

export interface Comment {
  readonly id: number
  readonly author: string
  readonly body: string
}

/** The comments of one pull request, behind the API of GitHub and that of GitLab. */
export interface ForgeLab extends AsyncDisposable {
  readonly url: string
  readonly comments: readonly Comment[]
  /** Requests that changed something: `POST /repos/…`. */
  readonly changes: readonly string[]
  add(author: string, body: string): void
  /** Status of all answers to changes from now on. Undefined: they succeed. */
  refuse(status: number | undefined): void
}

export const forgeToken = 'secret-of-the-forge'
/** Characters of a comment that each forge takes. */
const longest = { github: 65_536, gitlab: 1_000_000 }
/** Who the token is. */
export const forgeUser = 'github-actions[bot]'

export async function openForgeLab(): Promise<ForgeLab> {
  const comments: Comment[] = []
  const changes: string[] = []
  let refusal: number | undefined
  const add = (author: string, body: string): Comment => {
    const comment = { id: 100 + comments.length, author, body }
    comments.push(comment)
    return comment
  }
  const show = ({ id, author, body }: Comment): object => ({
    id,
    body,
    user: { login: author },
    author: { id: author },
    system: false,
  })

  async function answer(request: IncomingMessage): Promise<readonly [status: number, value: unknown]> {
    const { method = '', headers } = request
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://forge')
    if ((headers['private-token'] ?? headers.authorization?.replace('Bearer ', '')) !== forgeToken) return [401, {}]
    if (pathname === '/user') return [200, { id: forgeUser }]
    const [, id] =
      /^\/(?:repos\/team\/hosts\/issues\/comments|projects\/team%2Fhosts\/merge_requests\/7\/notes)\/(\d+)$/.exec(
        pathname,
      ) ?? []
    const isList =
      /^\/(?:repos\/team\/hosts\/issues\/7\/comments|projects\/team%2Fhosts\/merge_requests\/7\/notes)$/.test(pathname)
    if (method === 'GET' && isList) {
      const [page, size] = [Number(searchParams.get('page')), Number(searchParams.get('per_page'))]
      return [200, comments.slice((page - 1) * size, page * size).map(show)]
    }
    changes.push(`${method} ${pathname}`)
    if (refusal !== undefined) return [refusal, {}]
    const { body } = JSON.parse(await readAll(request))
    if (body.length > longest[pathname.startsWith('/repos/') ? 'github' : 'gitlab']) return [422, {}]
    if (method === 'POST' && isList) return [201, show(add(forgeUser, body))]
    const at = comments.findIndex(comment => String(comment.id) === id)
    const found = comments[at]
    if (!found || (method !== 'PATCH' && method !== 'PUT')) return [404, {}]
    comments[at] = { ...found, body }
    return [200, show(found)]
  }

  const server = createServer((request, response) => {
    void answer(request).then(([status, value]) => response.writeHead(status).end(JSON.stringify(value)))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    comments,
    changes,
    add,
    refuse(status) {
      refusal = status
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

async function readAll(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts).toString()
}
