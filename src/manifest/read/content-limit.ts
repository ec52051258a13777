import type { DiagnosticCode } from '../diagnostics/diagnostic-code.ts'
import type { SourceReading } from '../parse/config-source.ts'
import type { ParsedManifest } from '../parse/manifest-file.ts'

/** Most bytes of all manifests and the files that they declare, inline or by `source` (S12). */
const maximumContent = 128 * 1024 * 1024

/** A file named as `source` many times counts each time, as each copy is held and compared. */
export const tooMuchContent: { readonly code: DiagnosticCode; readonly message: string } = {
  code: 'too-much-content',
  message:
    'the manifests and the files that they have written come to more than 128 MiB: write less, or to fewer places',
}

/** Content limit: counts bytes as files are read. */
export interface ContentLimit {
  /** True if this many more bytes fit. */
  fits(bytes: number): boolean
  keep(bytes: number): void
  /** Wraps the reading of sources of a manifest of this size; refuses those that no longer fit. */
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

/** Size of a manifest with the files that it declares, in bytes. */
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
