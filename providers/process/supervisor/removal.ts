import { join } from 'node:path'
import { definitionPath, enabledPath, recordPath, runOfFile, temporaryRecordPath } from '../shared/layout.ts'
import { removeRunFiles } from './run-files.ts'
import type { Context } from './service.ts'

/** Removes all files of a stopped service. The definition goes last: while any file is left, the marker names its owner. */
export function removeServiceFiles(service: string, { host, layout }: Pick<Context, 'host' | 'layout'>): void {
  host.removeFile(enabledPath(layout, service))
  const runs = new Set<number>()
  for (const file of host.readDirectory(layout.runs) ?? []) {
    const found = runOfFile(file)
    if (found?.service === service) runs.add(found.run)
  }
  for (const run of runs) removeRunFiles(service, run, { host, layout })
  for (const file of host.readDirectory(layout.logs) ?? []) {
    if (isLogOf(service, file)) host.removeFile(join(layout.logs, file))
  }
  host.removeFile(temporaryRecordPath(layout, service))
  host.removeFile(recordPath(layout, service))
  host.removeFile(definitionPath(layout, service))
}

/** `NAME.log`, `NAME.log.1`, and leftovers of an interrupted rotation. */
function isLogOf(service: string, file: string): boolean {
  const log = `${service}.log`
  return file === log || (file.startsWith(`${log}.`) && /^(?:\d+|rotating)$/.test(file.slice(log.length + 1)))
}
