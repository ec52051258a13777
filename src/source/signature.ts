import { ReeveError } from '../core/reeve-error.ts'

/** A signature, and the bytes that it is of. */
export interface Signed {
  readonly kind: 'ssh' | 'gpg'
  readonly payload: Uint8Array
  /** As it stands in the object. */
  readonly signature: string
}

/** Why the signature of an object can't be believed, before anybody has looked at keys. */
export type Unsigned = { readonly problem: string }

/** Signatures of commits stand in their header. */
const headers = ['gpgsig', 'gpgsig-sha256']

/**
 * Takes a commit apart as git does when it verifies one: the payload is everything but the signature. Two signatures are one too many: which
 * of them counts would depend on who reads them.
 */
export function takeCommitApart(content: Uint8Array): Signed | Unsigned {
  const text = Buffer.from(content).toString('latin1')
  const end = text.indexOf('\n\n')
  if (end === -1) return { problem: 'it is no commit' }
  const kept: string[] = []
  const found: string[] = []
  let isIn = false
  for (const line of text.slice(0, end).split('\n')) {
    if (isIn && line.startsWith(' ')) {
      found.push(`${found.pop()}\n${line.slice(1)}`)
      continue
    }
    const header = headers.find(name => line.startsWith(`${name} `))
    isIn = header !== undefined
    if (header === undefined) kept.push(line)
    else found.push(line.slice(header.length + 1))
  }
  const [signature, second] = found
  if (signature === undefined) return { problem: 'it is not signed' }
  if (second !== undefined) return { problem: 'it has two signatures' }
  return classify(signature, Buffer.from(kept.join('\n') + text.slice(end), 'latin1'))
}

/** The same of an annotated tag, whose signature stands at its end. `name`: that of its reference: a tag moved to another name is refused. */
export function takeTagApart(content: Uint8Array, name: string): (Signed & { readonly target: string }) | Unsigned {
  const text = Buffer.from(content).toString('latin1')
  const own = /^tag (.*)$/m.exec(text.slice(0, text.indexOf('\n\n')))?.[1]
  const [, target, type] = /^object ([0-9a-f]+)\ntype (\w+)\n/.exec(text) ?? []
  if (target === undefined || own === undefined) return { problem: 'it is no annotated tag' }
  if (Buffer.from(own, 'latin1').toString() !== name) return { problem: `it is the tag ${own}, under another name` }
  if (type !== 'commit') return { problem: `it is a tag of a ${type}` }
  const at = text.search(/^-----BEGIN (?:SSH|PGP) SIGNATURE-----$/m)
  if (at === -1) return { problem: 'it is not signed' }
  const signed = classify(text.slice(at), Buffer.from(text.slice(0, at), 'latin1'))
  return 'problem' in signed ? signed : { ...signed, target }
}

function classify(signature: string, payload: Uint8Array): Signed | Unsigned {
  const begins = [...signature.matchAll(/^-----BEGIN (\w+) /gm)].map(([, kind]) => kind)
  if (begins.length !== 1)
    return { problem: begins.length === 0 ? 'its signature is no signature' : 'it has two signatures' }
  const whole = signature.endsWith('\n') ? signature : `${signature}\n`
  if (begins[0] === 'SSH') return { kind: 'ssh', payload, signature: whole }
  if (begins[0] === 'PGP') return { kind: 'gpg', payload, signature: whole }
  return { problem: `its signature is of a kind that is not known (${begins[0]})` }
}

const leastRsaBits = 2048

/** Why the key of an SSH signature is too weak, whoever has it; undefined: it isn't. Throws ReeveError `failed` for what can't be read. */
export function findWeakness(signature: string): string | undefined {
  const blob = Buffer.from(signature.replace(/-----[^\n]*-----/g, ''), 'base64')
  // The preamble SSHSIG, its version, then the public key.
  const key = readPart(blob, 10)
  const type = readPart(key, 0)
  const name = type.toString('latin1')
  if (name === 'ssh-dss') return 'its key is of type DSA'
  if (name !== 'ssh-rsa') return undefined
  const exponent = readPart(key, 4 + type.length)
  const modulus = readPart(key, 8 + type.length + exponent.length)
  const leading = modulus.findIndex(byte => byte !== 0)
  const bits = (modulus.length - leading) * 8 - Math.clz32(modulus[leading] ?? 0) + 24
  return bits < leastRsaBits ? `its RSA key has ${bits} bits: ${leastRsaBits} are needed` : undefined
}

/** SSH's strings: their length in four bytes, then so many. */
function readPart(bytes: Buffer, at: number): Buffer {
  if (at + 4 > bytes.length) throw unreadable()
  const end = at + 4 + bytes.readUInt32BE(at)
  if (end > bytes.length) throw unreadable()
  return bytes.subarray(at + 4, end)
}

function unreadable(): ReeveError {
  return new ReeveError('failed', 'the signature ends early')
}
