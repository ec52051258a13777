import type { RequestOptions } from 'node:https'
import { isIP } from 'node:net'
import type { ProbeHost } from '../../core/contracts/host.ts'
import { createDictionary } from '../../core/dictionary.ts'
import type { HttpCheck } from '../../core/model/facility.ts'
import { ReeveError } from '../../core/reeve-error.ts'

/** In bytes. */
const certificateLimit = 1024 * 1024
const secretLimit = 16 * 1024

/**
 * Request and trusted certificates of a health check. Files are read for each probe, so that changes count from the next one on.
 * Throws ReeveError, which never quotes a file.
 */
export function requestOptions(check: HttpCheck, host: ProbeHost): RequestOptions {
  const { headers, ca, insecureSkipVerify = false } = check
  const { protocol, hostname } = new URL(check.url)
  const isAddress = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0
  return {
    ...(headers && { headers: readHeaders(headers, host) }),
    // Else Node would take the name of a Host header, which isn't the name of the host.
    ...(protocol === 'https:' && { servername: isAddress ? '' : hostname }),
    ...(ca !== undefined && { ca: readCertificates(ca, host) }),
    ...(insecureSkipVerify && { rejectUnauthorized: false }),
  }
}

function readHeaders(headers: NonNullable<HttpCheck['headers']>, host: ProbeHost): Record<string, string> {
  return createDictionary(
    Object.entries(headers).map(([name, value]): [string, string] =>
      typeof value === 'string' ? [name, value] : [name, readSecret(value.fromFile, host)],
    ),
  )
}

function readSecret(path: string, host: ProbeHost): string {
  const text = readText(path, host, secretLimit).replace(/\r?\n$/, '')
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) return text
  throw new ReeveError('failed', `${path} holds more than one line, or characters that no header may have`)
}

function readCertificates(path: string, host: ProbeHost): string {
  const text = readText(path, host, certificateLimit)
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  throw new ReeveError('failed', `there is no certificate in ${path}: expected PEM (-----BEGIN CERTIFICATE-----)`)
}

/** Reads a file as root only where nobody else can redirect it: else a service's user could have root read for them (S8). */
function readText(path: string, host: ProbeHost, limit: number): string {
  const content = host.userId() === 0 ? host.readProtectedFile(path, limit) : host.readFile(path, limit)
  if (content === undefined) throw new ReeveError('failed', `there is no file ${path}, which the health check needs`)
  return Buffer.from(content).toString('latin1')
}
