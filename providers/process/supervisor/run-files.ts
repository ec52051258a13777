import { runPath } from '../shared/layout.ts'
import type { Context } from './service.ts'

/**
 * Removes the files of a run. The script goes first: a late shim that finds no claim then finds no script either, and starts
 * nothing.
 */
export function removeRunFiles(service: string, run: number, { host, layout }: Pick<Context, 'host' | 'layout'>): void {
  for (const part of ['sh', 'pid', 'said', 'exit', 'shim'] as const)
    host.removeFile(runPath(layout, service, run, part))
}
