import { join } from 'node:path'

/** Where everything of the source is kept, in the state directory. */
export function sourceDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'source')
}

/** The symlink that leads to the manifests of the revision in force. */
export function manifestsLink(directory: string): string {
  return join(directory, 'current')
}

/** The bare copy of the repository, with what Reeve needs beside it. */
export function copyDirectory(directory: string): string {
  return join(directory, 'git')
}

/** The bare copy itself. */
export function copyRepository(copy: string): string {
  return join(copy, 'repository.git')
}
