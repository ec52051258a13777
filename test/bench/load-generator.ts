import { join } from 'node:path'
import type { CliFixture } from '../labs/cli-fixture.ts'
import { findProcesses } from './process-use.ts'

/** Manifest of one of them. */
export type Make = (name: string) => string

/** Writes so many manifests, one per file, as people do. Returns the names. */
export function declareMany(fixture: CliFixture, count: number, make: Make): string[] {
  const names = Array.from({ length: count }, (_, index) => `s${String(index).padStart(5, '0')}`)
  for (const name of names) fixture.write(`manifests/${name}.yaml`, make(name))
  return names
}

export function runningSleeper(name: string): string {
  return manifest(name, '  process: { command: [sleep, "86400"] }')
}

/** Installed, and not running: it costs a definition, and no process. */
export function stoppedSleeper(name: string): string {
  return manifest(name, '  state: stopped\n  enabled: false\n  process: { command: [sleep, "86400"] }')
}

export function manifest(name: string, spec: string): string {
  return `apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: ${name} }\nspec:\n${spec}\n`
}

/** Host configuration of a fixture, with the default settings: a full refresh every 5 minutes. */
export const plainConfiguration = `apiVersion: reeve/v1
kind: HostConfiguration
stateDirectory: state
`

/** Processes of the built-in supervisor: the daemon, and a shim for each service. */
export function findSupervision(fixture: CliFixture): { readonly daemon: number; readonly shims: number[] } {
  const directory = fixture.path('state', 'process')
  const [daemon, ...more] = findProcesses(words => words.at(-1) === directory && isNode(words))
  if (daemon === undefined || more.length > 0) throw new Error(`expected one supervisor of ${directory}`)
  const shims = findProcesses(([shell, script]) => shell === '/bin/sh' && isIn(script, join(directory, 'runs')))
  return { daemon, shims }
}

function isNode(words: readonly string[]): boolean {
  return words[0] === process.execPath
}

function isIn(path: string | undefined, directory: string): boolean {
  return path?.startsWith(`${directory}/`) ?? false
}
