import type { DiagnosticCode } from '../diagnostics/diagnostic-code.ts'
import type { SourceReading } from '../parse/config-source.ts'
import type { ParsedManifest } from '../parse/manifest-file.ts'

/** Bytes of all manifests of a host and what their facilities write, whether it stands in them or in a source (S12). */
const maximumContent = 128 * 1024 * 1024

/** A small file can be named as the source of thousands: each counts, as each is held, compared and shown. */
export const tooMuchContent: { readonly code: DiagnosticCode; readonly message: string } = {
  code: 'too-much-content',
  message:
    'the manifests and the files that they have written come to more than 128 MiB: write less, or to fewer places',
}

/** Counts what is read, file by file. */
export interface ContentLimit {
  /** Whether so many more bytes may be kept. */
  fits(bytes: number): boolean
  keep(bytes: number): void
  /** Reads sources of one manifest of so many bytes, till there is no room for another. */
  limitSources(bytes: number, readSource: (path: string) => SourceReading): (path: string) => SourceReading
}

export function createContentLimit(): ContentLimit {
  let kept = 0
  const fits = (bytes: number): boolean => kept + bytes <= maximumContent
  return {
    fits,
    keep(bytes) {
      kept += bytes
    },
    limitSources(bytes, readSource) {
      let own = bytes
      return path => {
        if (!fits(own)) return tooMuchContent
        const reading = readSource(path)
        if (!(reading instanceof Uint8Array)) return reading
        own += reading.byteLength
        return fits(own) ? reading : tooMuchContent
      }
    },
  }
}

/** Of one manifest, with what its facilities write. */
export function sizeOf(content: Uint8Array, { facilities }: ParsedManifest): number {
  let size = content.byteLength
  for (const { value } of facilities) {
    for (const file of value.files) size += file.content.byteLength
    for (const { reading } of Object.values(value.configSources).flat()) {
      if (reading instanceof Uint8Array) size += reading.byteLength
    }
  }
  return size
}
