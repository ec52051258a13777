import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A real directory with these files (content by relative path), removed when the test has ended. */
export function makeDirectory(files: Readonly<Record<string, string>> = {}): string {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-manifests-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  writeFiles(directory, files)
  return directory
}

export function writeFiles(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }
}

/** A Facility document; `spec` in YAML's flow style without its braces. */
export function facilityText(name: string, spec: string = 'process: { command: [/bin/true] }'): string {
  return `apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: ${name} }\nspec: { ${spec} }\n`
}

export function supervisorText(name: string, spec: string): string {
  return `apiVersion: reeve/v1\nkind: Supervisor\nmetadata: { name: ${name} }\nspec: { ${spec} }\n`
}
