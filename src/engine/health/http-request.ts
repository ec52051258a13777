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
 * What a check sends, and whom it believes. Files are read anew for each check, so that one that is changed counts from the
 * next on. Throws ReeveError, which never says what is in a file.
 */
export function requestOptions(check: HttpCheck, host: ProbeHost): RequestOptions {
  const { headers, ca, insecureSkipVerify = false } = check
  const { protocol, hostname } = new URL(check.url)
  const isAddress = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0
  return {
    ...(headers && { headers: readHeaders(headers, host) }),
    // Else Node would take the name in a Host header, which is not where the connection leads.
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

/** As root only where nobody else can lead it: a service's user could have root read for them what they can't (S8). */
function readText(path: string, host: ProbeHost, limit: number): string {
  const content = host.userId() === 0 ? host.readProtectedFile(path, limit) : host.readFile(path, limit)
  if (content === undefined) throw new ReeveError('failed', `there is no file ${path}, which the health check needs`)
  return Buffer.from(content).toString('latin1')
}
