import { ReeveError } from '../core/reeve-error.ts'

/** The D-Bus name of the error that a call was answered with, e.g. `org.freedesktop.systemd1.NoSuchUnit`. */
export function busErrorName(error: unknown): string | undefined {
  if (!(error instanceof ReeveError) || !(error.cause instanceof Error)) return undefined
  return error.cause.name.includes('.') ? error.cause.name : undefined
}
