import { createHmac } from 'node:crypto'
import { createServer, request as openRequest } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createWebhook } from '../../../src/server/webhook.ts'
import { createManualClock, type ManualClock } from '../../tools/manual-clock.ts'

const secret = 'a secret that the forge was told'

interface Lab {
  readonly clock: ManualClock
  /** Number of fetches. */
  syncs(): number
  send(
    headers: Readonly<Record<string, string>>,
    body?: Buffer,
    method?: string,
  ): Promise<{ status: number; text: string }>
}

async function openLab(readSecret: () => string = () => secret): Promise<Lab> {
  const clock = createManualClock()
  let syncs = 0
  const webhook = createWebhook({
    secret: readSecret,
    sync: () => {
      syncs += 1
    },
    clock,
  })
  const server = createServer(async (request, response) => {
    const { status, text } = await webhook(request)
    response.writeHead(status).end(text)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    clock,
    syncs: () => syncs,
    send: (headers, body = push, method = 'POST') =>
      new Promise((resolve, reject) => {
        const request = openRequest({ port, host: '127.0.0.1', method, path: '/webhook', headers }, response => {
          let text = ''
          response.on('data', chunk => {
            text += chunk
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
        })
        request.on('error', reject)
        request.end(body)
      }),
  }
}

const push = Buffer.from('{"ref":"refs/heads/main"}')
const hmac = (body: Buffer = push, key = secret): string => createHmac('sha256', key).update(body).digest('hex')

describe('a webhook triggers a fetch', () => {
  test.each([
    ['GitHub', () => ({ 'x-hub-signature-256': `sha256=${hmac()}`, 'x-github-delivery': '1' })],
    ['Gitea', () => ({ 'x-gitea-signature': hmac(), 'x-gitea-delivery': '1' })],
    ['Forgejo', () => ({ 'x-forgejo-signature': hmac(), 'x-forgejo-delivery': '1' })],
    ['GitLab', () => ({ 'x-gitlab-token': secret, 'x-gitlab-event-uuid': '1' })],
  ])('when called by %s', async (_forge, headers) => {
    const lab = await openLab()
    expect(await lab.send(headers())).toEqual({ status: 202, text: 'the repository is asked' })
    expect(lab.syncs()).toBe(1)
  })

  test('at most once a second, and once more for calls in between', async () => {
    const lab = await openLab()
    for (let count = 0; count < 20; count += 1) await lab.send({ 'x-gitea-signature': hmac() })
    expect(lab.syncs()).toBe(1)
    await lab.clock.advance(1_000)
    expect(lab.syncs()).toBe(2)
    await lab.clock.advance(10_000)
    expect(lab.syncs()).toBe(2)
    await lab.send({ 'x-gitea-signature': hmac() })
    expect(lab.syncs()).toBe(3)
  })

  test('with the current content of the secret', async () => {
    let now = secret
    const lab = await openLab(() => now)
    now = 'another secret of the forge'
    expect((await lab.send({ 'x-gitea-signature': hmac() })).status).toBe(401)
    expect((await lab.send({ 'x-gitea-signature': hmac(push, now) })).status).toBe(202)
  })
})

describe('a webhook does nothing', () => {
  test.each([
    ['without a signature', {}, 401],
    ['with the signature of another secret', { 'x-hub-signature-256': `sha256=${hmac(push, 'guessed')}` }, 401],
    ['with the signature of another body', { 'x-hub-signature-256': `sha256=${hmac(Buffer.from('{}'))}` }, 401],
    ['with a signature in another form', { 'x-hub-signature-256': hmac() }, 401],
    ['with an empty signature', { 'x-gitea-signature': '' }, 401],
    ['with the token cut short', { 'x-gitlab-token': secret.slice(0, -1) }, 401],
    ['with the older signature of GitHub, by SHA-1', { 'x-hub-signature': 'sha1=00' }, 401],
  ])('%s', async (_title, headers, status) => {
    const lab = await openLab()
    expect((await lab.send(headers as Record<string, string>)).status).toBe(status)
    expect(lab.syncs()).toBe(0)
  })

  test('for a repeated delivery', async () => {
    const lab = await openLab()
    const headers = { 'x-hub-signature-256': `sha256=${hmac()}`, 'x-github-delivery': 'abc' }
    expect((await lab.send(headers)).status).toBe(202)
    expect(await lab.send(headers)).toEqual({ status: 200, text: 'this delivery has come before' })
    await lab.clock.advance(60_000)
    expect(lab.syncs()).toBe(1)
  })

  test('for another method, or a body that is too long', async () => {
    const lab = await openLab()
    expect((await lab.send({ 'x-gitlab-token': secret }, Buffer.alloc(0), 'PUT')).status).toBe(405)
    const long = { 'x-gitlab-token': secret, 'content-length': String(26 * 1024 * 1024) }
    expect((await lab.send(long, Buffer.alloc(26 * 1024 * 1024)).catch(() => ({ status: 413 }))).status).toBe(413)
    expect(lab.syncs()).toBe(0)
  })

  test('if the secret cannot be read, with no more details', async () => {
    const lab = await openLab(() => {
      throw new Error('EACCES: /etc/reeve/secret')
    })
    const answer = await lab.send({ 'x-gitlab-token': secret })
    expect(answer).toEqual({
      status: 500,
      text: 'the secret of the webhook cannot be read; see the log of the controller',
    })
    expect(lab.syncs()).toBe(0)
  })
})
