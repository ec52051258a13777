import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { FileToWrite, ReadHost, WriteHost } from '../core/contracts/host.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { makeOwnDirectory } from './own-directory.ts'

/** What a copy of a repository needs of the host. */
export type ScratchHost = ReadHost &
  Pick<
    WriteHost,
    | 'makeDirectory'
    | 'writeFile'
    | 'writeFiles'
    | 'reuseFiles'
    | 'moveFile'
    | 'makeLink'
    | 'removeFile'
    | 'removeDirectory'
    | 'runContained'
  >

/** A temporary directory that nobody else can look into; gone with its disposal. */
export interface Scratch extends Disposable {
  /** Absolute. */
  readonly directory: string
  /** Writes nothing outside of the directory: a dry run gets no other handle that can write (E2). */
  readonly host: ScratchHost
}

export function openScratch(host: ScratchHost): Scratch {
  const directory = makeOwnDirectory('revision', tmpdir())
  const inside = (path: string): string => {
    if (path.startsWith(`${directory}/`) && !path.includes('/../')) return path
    throw new ReeveError('internal', `${path} is outside of the temporary directory ${directory}`)
  }
  const within = (file: FileToWrite): FileToWrite => ({ ...file, path: inside(file.path) })
  return {
    directory,
    host: {
      ...host,
      makeDirectory: (path, options) => host.makeDirectory(inside(path), options),
      writeFile: (path, content, options) => host.writeFile(inside(path), content, options),
      writeFiles: async files => host.writeFiles(files.map(within)),
      reuseFiles: (from, files) => host.reuseFiles(from, files.map(within)),
      moveFile: (from, to) => host.moveFile(inside(from), inside(to)),
      makeLink: (path, target) => host.makeLink(inside(path), target),
      removeFile: path => host.removeFile(inside(path)),
      removeDirectory: path => host.removeDirectory(inside(path)),
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
}
