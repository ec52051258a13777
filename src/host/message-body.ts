import type { IncomingMessage } from 'node:http'

/** The body of a message, as UTF-8. One of more than so many bytes throws what `createExcess` gives. */
export async function readBody(message: IncomingMessage, limit: number, createExcess: () => Error): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of message) {
    const bytes = Buffer.from(chunk)
    length += bytes.length
    if (length > limit) throw createExcess()
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString()
}
