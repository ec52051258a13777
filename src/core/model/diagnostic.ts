/** Diagnostic: a problem of a manifest, for people and programs. */
export interface Diagnostic {
  readonly file: string
  /** From 1; 0 where the whole file is meant. */
  readonly line: number
  readonly column: number
  readonly severity: 'error' | 'warning'
  /** Closed set, in kebab case: see src/manifest/README.md. */
  readonly code: string
  /** What is wrong, and where it can be told, what to do. */
  readonly message: string
  /** The source line with a caret below. */
  readonly excerpt?: string
}
