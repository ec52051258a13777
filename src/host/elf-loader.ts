const magic = '\x7fELF'
/** PT_INTERP of elf(5). */
const interpreterSegment = 3

/** The dynamic loader that a binary asks for, by its first bytes. Undefined: it asks for none, is no binary, or that can't be told. */
export function findElfLoader(head: Uint8Array): string | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  if (bytes.length < 64 || bytes.toString('latin1', 0, 4) !== magic || bytes[5] !== 1) return undefined
  const isWide = bytes[4] === 2
  const read = (at: number): number => (isWide ? Number(bytes.readBigUInt64LE(at)) : bytes.readUInt32LE(at))
  const table = read(isWide ? 0x20 : 0x1c)
  const size = bytes.readUInt16LE(isWide ? 0x36 : 0x2a)
  const count = bytes.readUInt16LE(isWide ? 0x38 : 0x2c)
  for (let index = 0; index < count; index += 1) {
    const at = table + index * size
    if (at + size > bytes.length || size < 32) return undefined
    if (bytes.readUInt32LE(at) !== interpreterSegment) continue
    const start = read(at + (isWide ? 8 : 4))
    const end = bytes.indexOf(0, start)
    return end > start ? bytes.toString('latin1', start, end) : undefined
  }
  return undefined
}
