import { createHash, createHmac, type Hmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../core/contracts/clock.ts'

export interface WebhookOptions {
  /** Read for each request, so that it can be changed. Throws if it can't be had. */
  readonly secret: () => string
  /** Asks the repository for news. */
  readonly sync: () => void
  readonly clock: Pick<Clock, 'after'>
}

export interface WebhookAnswer {
  readonly status: number
  readonly text: string
}

export type Webhook = (request: IncomingMessage) => Promise<WebhookAnswer>

/** In bytes: GitHub sends no more. It is hashed as it comes, and not kept. */
const bodyLimit = 25 * 1024 * 1024

/** A repository is asked at most so often (ms), however often this is called. */
const leastInterval = 1_000

const remembered = 1_000

/** How forges prove that they have sent a request: the header, and what stands in it. */
const proofs: readonly { readonly header: string; readonly kind: 'hmac' | 'token'; readonly prefix: string }[] = [
  { header: 'x-hub-signature-256', kind: 'hmac', prefix: 'sha256=' },
  { header: 'x-forgejo-signature', kind: 'hmac', prefix: '' },
  { header: 'x-gitea-signature', kind: 'hmac', prefix: '' },
  { header: 'x-gitlab-token', kind: 'token', prefix: '' },
]

/** What they call a delivery, by which one that comes again is known. */
const deliveries = [
  'x-github-delivery',
  'x-forgejo-delivery',
  'x-gitea-delivery',
  'x-gitlab-event-uuid',
  'x-gitlab-webhook-uuid',
]

/**
 * Answers what GitHub, GitLab, Gitea and Forgejo send after a push. What they say is not looked at: it only makes Reeve ask the repository
 * itself. Who doesn't know the secret gets nothing done.
 */
export function createWebhook({ secret, sync, clock }: WebhookOptions): Webhook {
  const seen = new Set<string>()
  let pause: Disposable | undefined
  let isWanted = false

  function syncSoon(): void {
    if (pause) {
      isWanted = true
      return
    }
    sync()
    pause = clock.after(
      leastInterval,
      () => {
        pause = undefined
        if (isWanted) syncSoon()
        isWanted = false
      },
      { keepsAlive: false },
    )
  }

  return async request => {
    if (request.method !== 'POST') return { status: 405, text: 'only POST' }
    const proof = proofs.find(({ header }) => typeof request.headers[header] === 'string')
    if (!proof)
      return { status: 401, text: `expected one of the headers ${proofs.map(({ header }) => header).join(', ')}` }
    let key: string
    try {
      key = secret()
    } catch {
      return { status: 500, text: 'the secret of the webhook cannot be read; see the log of the controller' }
    }
    const hash = await hashBody(request, key)
    if (!hash) return { status: 413, text: `a request holds at most ${bodyLimit} bytes` }
    const expected = proof.kind === 'hmac' ? proof.prefix + hash.digest('hex') : key
    if (!isEqual(String(request.headers[proof.header]), expected)) {
      return { status: 401, text: 'the signature is not of the secret that this host has' }
    }
    const delivery = deliveries.map(header => request.headers[header]).find(id => typeof id === 'string')
    if (typeof delivery === 'string') {
      if (seen.has(delivery)) return { status: 200, text: 'this delivery has come before' }
      seen.add(delivery)
      const [oldest] = seen
      if (seen.size > remembered && oldest !== undefined) seen.delete(oldest)
    }
    syncSoon()
    return { status: 202, text: 'the repository is asked' }
  }
}

/** Undefined: it is too long. */
async function hashBody(request: IncomingMessage, key: string): Promise<Hmac | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > bodyLimit) return undefined
  const hash = createHmac('sha256', key)
  let length = 0
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk)
    length += bytes.length
    if (length > bodyLimit) return undefined
    hash.update(bytes)
  }
  return hash
}

/** In a time that doesn't tell how much of it is right, nor how long it should be. */
function isEqual(found: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(found), digest(expected))
}
