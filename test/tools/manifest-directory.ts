import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Facility } from '../../src/core/model/facility.ts'
import type { ManifestOptions } from '../../src/manifest/manifest-options.ts'
import type { ManifestSet } from '../../src/manifest/manifest-set.ts'
import { createManifestSource, loadManifests, type ManifestSource } from '../../src/manifest/manifest-source.ts'
import { localFiles, type ManifestFiles } from '../../src/manifest/read/manifest-files.ts'

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

/** Content of files by relative path. */
export type FileContents = Readonly<Record<string, string | Uint8Array>>

/** Directory of the manifests that are kept in memory. */
const inMemory = '/manifests-in-memory'

/** What `loadManifests` makes of these files. They are kept in memory; the other paths are those of this machine. */
export function loadFiles(contents: FileContents, options: Partial<ManifestOptions> = {}): ManifestSet {
  return loadManifests({ types: ['process', 'runit', 'systemd'], ...keepInMemory(contents), ...options })
}

/** A real directory with these files, and a source that reads it again and again. */
export function openDirectory(
  contents: Readonly<Record<string, string>>,
  options: Partial<ManifestOptions> = {},
): { readonly directory: string; readonly source: ManifestSource } {
  const directory = makeDirectory(contents)
  return { directory, source: createManifestSource({ directory, types: ['process', 'runit'], ...options }) }
}

export function namesIn({ facilities }: ManifestSet): string[] {
  return facilities.map(({ name }) => name)
}

export function facilityIn(set: ManifestSet, name: string): Facility {
  const facility = set.facilities.find(each => each.name === name)
  if (facility === undefined) throw new Error(`no facility ${name} in ${namesIn(set)}`)
  return facility
}

/** A directory with these files, for those who load manifests. */
export function keepInMemory(contents: FileContents): { readonly directory: string; readonly files: ManifestFiles } {
  const files = new Map<string, Uint8Array>()
  const directories = new Map<string, Set<string>>([[inMemory, new Set()]])
  for (const [name, content] of Object.entries(contents)) {
    const path = join(inMemory, name)
    files.set(path, typeof content === 'string' ? Buffer.from(content) : content)
    for (let child = path; child !== inMemory; child = dirname(child)) {
      const entries = directories.get(dirname(child)) ?? new Set()
      directories.set(dirname(child), entries.add(basename(child)))
    }
  }
  const isMine = (path: string): boolean => path === inMemory || path.startsWith(`${inMemory}/`)
  const kindOf = (path: string): 'file' | 'directory' => {
    if (files.has(path)) return 'file'
    if (directories.has(path)) return 'directory'
    throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
  }
  return {
    directory: inMemory,
    files: {
      ...localFiles,
      readDirectory(path) {
        return [...(directories.get(path) ?? [])].map(name => ({ name, kind: kindOf(join(path, name)) }))
      },
      readFile(path, limit) {
        const content = files.get(path)
        if (!content) throw new Error(`${kindOf(path)}: it is not a regular file`)
        return { content: content.byteLength > limit ? undefined : content, signature: '' }
      },
      facts(path) {
        return isMine(path) ? { kind: kindOf(path), mode: 0o755, uid: 0, signature: '' } : localFiles.facts(path)
      },
      realPath(path) {
        return isMine(path) && kindOf(path) ? path : localFiles.realPath(path)
      },
    },
  }
}

/** A Facility document; `spec` in YAML's flow style without its braces. */
export function facilityText(name: string, spec: string = 'process: { command: [/bin/true] }'): string {
  return `apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: ${name} }\nspec: { ${spec} }\n`
}

export function supervisorText(name: string, spec: string): string {
  return `apiVersion: reeve/v1\nkind: Supervisor\nmetadata: { name: ${name} }\nspec: { ${spec} }\n`
}
