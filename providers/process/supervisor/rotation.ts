import { dirname } from 'node:path'
import { messageOf } from '../../../src/core/reeve-error.ts'
import type { Output } from './output-file.ts'
import type { Context } from './service.ts'

/**
 * Copies the file and empties it, so that a service needs no signal to open it anew: it appends, and goes on at the new
 * end. What is written between the copy and the emptying is lost; logrotate's copytruncate has the same gap.
 */
const script = `
file=$1 kept=$2
[ -f "$file" ] && [ ! -L "$file" ] || exit 1
if [ "$kept" -gt 0 ]; then
  number=$kept
  while [ "$number" -gt 1 ]; do
    older=$((number - 1))
    [ ! -e "$file.$older" ] || mv -fT -- "$file.$older" "$file.$number" || exit 1
    number=$older
  done
  rm -f -- "$file.rotating" && cp -p -- "$file" "$file.rotating" && mv -fT -- "$file.rotating" "$file.1" || exit 1
fi
: >"$file"
`

export interface Rotation {
  /** Does nothing while the same file is being rotated. */
  rotate(output: Output, service: string): void
}

export function createRotation({ host, tools, log }: Omit<Context, 'wake'>): Rotation {
  const underWay = new Set<string>()

  /**
   * In a directory that others can write to, names can be swapped for symlinks: there it is done with the rights of the
   * directory's owner, who gains nothing by it.
   */
  function borrowRights(file: string): readonly string[] {
    const directory = host.facts(dirname(file))
    if (host.userId() !== 0 || !directory) return []
    const isSafe = directory.uid === 0 && (directory.mode & 0o022) === 0
    if (isSafe || tools.setpriv === undefined) return []
    return [tools.setpriv, `--reuid=${directory.uid}`, `--regid=${directory.gid}`, '--clear-groups', '--']
  }

  return {
    rotate({ file, keep }, service) {
      if (underWay.has(file)) return
      underWay.add(file)
      try {
        const command = [...borrowRights(file), '/bin/sh', '-c', script, 'sh', file, String(keep)]
        const environment = { PATH: '/usr/local/bin:/usr/bin:/bin' }
        const process = host.spawn(command, { environment, directory: '/' })
        void process.exited.then(() => underWay.delete(file))
        log.info({ service, file }, 'its output is rotated')
      } catch (error) {
        underWay.delete(file)
        log.error({ service, file }, `its output could not be rotated: ${messageOf(error)}`)
      }
    },
  }
}
