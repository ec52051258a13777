/** Structured logging; `facility` and `step` always stand in the fields, never only in the message. */
export interface Log {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
}

/** For those who want to hear nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
