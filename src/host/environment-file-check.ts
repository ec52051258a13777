import { environmentFileLimit, parseEnvironmentFile } from '../core/environment-file.ts'
import type { Process } from '../core/facility.ts'
import type { ReadHost } from '../core/provider.ts'
import { messageOf, ReeveError } from '../core/reeve-error.ts'
import type { PathProblem } from './service-paths.ts'

/**
 * What a start would be refused for, so that nothing is stopped or restarted for it: environment files that say something else to
 * each reader. Each start reads them anew. What is missing, or only the service's user may read, is left to the start.
 */
export function findEnvironmentFileProblems(process: Process, host: ReadHost): readonly PathProblem[] {
  return process.environmentFiles.flatMap(path => {
    const message = findProblem(path, host)
    return message === undefined ? [] : [{ field: 'environmentFiles' as const, message }]
  })
}

function findProblem(path: string, host: ReadHost): string | undefined {
  try {
    const isRoot = host.userId() === 0
    const content = (isRoot ? host.readProtectedFile : host.readFile)(path, environmentFileLimit)
    if (content) parseEnvironmentFile(content, path)
    return undefined
  } catch (error) {
    if (error instanceof ReeveError && error.code === 'insecure') return undefined
    return messageOf(error)
  }
}
