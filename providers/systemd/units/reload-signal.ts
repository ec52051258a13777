import { findSignalNumber } from '../../../src/host/signals.ts'
import { mergeSections, readSections } from './unit-file.ts'
import type { UnitSearchPath } from './unit-search-path.ts'

/** `spec.process.reload.signal` in systemd's terms. */
export function reloadSignalCommand(signal: string): string {
  return `/bin/kill -s ${signal} $MAINPID`
}

const pattern = /^\/bin\/kill -s ([A-Z0-9+-]+) \$MAINPID$/

/**
 * Number of the signal, if a reload is only that and the unit has Reeve's command for it: in the service's sandbox that
 * command may fail, while systemd can send the signal itself. Undefined: the reload is something else.
 */
export function findReloadSignal(unit: string, disk: UnitSearchPath): number | undefined {
  const texts = disk.texts(unit)
  // Other units are to be reloaded with it.
  if (texts.some(text => text.includes('PropagatesReloadTo'))) return undefined
  const { Service } = texts.map(readSections).reduce(mergeSections, {})
  const [command = '', ...others] = Service?.ExecReload ?? []
  const [, signal] = pattern.exec(command) ?? []
  return signal === undefined || others.length > 0 ? undefined : findSignalNumber(signal)
}
