import type { SourcePosition } from '../../core/reeve-error.ts'
import type { SourceReading } from './config-source.ts'

/** Context of a document that its text doesn't contain. */
export interface DraftContext {
  readonly position: SourcePosition
  /** Makes a path of the manifest absolute: relative ones are relative to the manifest file's directory. */
  resolvePath(path: string): string
  /** The content of a `source` file, or why it can't be had. */
  readSource(path: string): SourceReading
}
