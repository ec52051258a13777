/** Structured log. `facility` and `step` are always fields, never only part of the message. */
export interface Log {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
}

/** Log that discards everything. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
