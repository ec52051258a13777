import { basename, dirname } from 'node:path'
import type { Process } from '../../../src/core/model/facility.ts'
import { messageOf, ReeveError } from '../../../src/core/reeve-error.ts'
import { placesBeside } from '../../../src/core/state/output-places.ts'
import { chooseActor, describeNobody } from '../../../src/host/service-paths.ts'
import { protectedPathFunctions } from '../../posix/protected-path.ts'
import { findIdentity, otherUserOf } from './launch.ts'
import type { Output } from './output-file.ts'
import type { Context } from './service.ts'
import { changeUser } from './shim-script.ts'

/**
 * Copies the file and truncates it, so that a service needs no signal to reopen it: it appends at the new end. Output
 * between the copy and the truncation is lost, as with logrotate's copytruncate. Works in the directory that it has entered,
 * whatever happens to its path. With root's rights that is one that only root can write; with those of the service's user,
 * the kernel prevents harm by swapped names (S8).
 */
const script = `
directory=$1 name=$2 kept=$3
if [ "$(id -u)" = 0 ] && [ "$4" = protected ]; then
  __reeve_is_protected "$directory" || { echo "$directory cannot be rotated in: $__reeve_unsafe can be changed by others" >&2; exit 1; }
  directory=$__reeve_real
fi
cd -P -- "$directory" || exit 1
file=./$name
[ -f "$file" ] && [ ! -L "$file" ] || exit 1
if [ "$kept" -gt 0 ]; then
  number=$kept
  while [ "$number" -gt 1 ]; do
    older=$((number - 1))
    [ ! -e "$file.$older" ] || mv -fT -- "$file.$older" "$file.$number" || exit 1
    number=$older
  done
  rm -f -- "$file.rotating" && cp -pP -- "$file" "$file.rotating" && mv -fT -- "$file.rotating" "$file.1" || exit 1
fi
: >"$file"
`

export interface Rotation {
  /**
   * Does nothing while the same file is being rotated. `process`: that of the service whose user may have to rotate; absent
   * for a file in the supervisor's own directory.
   */
  rotate(output: Output, name: string, process?: Process): void
}

export function createRotation(context: Pick<Context, 'host' | 'tools' | 'layout' | 'log'>): Rotation {
  const { host, tools, layout, log } = context
  const underWay = new Set<string>()
  const failing = new Set<string>()

  /** Words before the script that give it the rights to use. Throws ReeveError. */
  function chooseRights(file: string, process: Process | undefined): readonly string[] {
    const identity = process && findIdentity(process, host)
    const actor = chooseActor(file, otherUserOf(identity), host)
    if (actor.as === 'nobody') throw new ReeveError('insecure', describeNobody(file, actor.unsafe))
    if (actor.as === 'self' || !identity) return []
    if (tools.setpriv === undefined) throw new ReeveError('unavailable', 'there is no setpriv, which changes the user')
    return changeUser(identity, tools)
  }

  /** Somebody else's file is not overwritten: copies of the output have its owner (E19). A link contains nothing. */
  function findStranger({ file, keep }: Output): string | undefined {
    const owner = host.facts(file)?.uid
    return placesBeside({ file, keep }, 'rotated').find(path => {
      const facts = host.facts(path)
      return facts && facts.kind !== 'symlink' && (facts.kind !== 'file' || facts.uid !== owner)
    })
  }

  function complain(file: string, name: string, problem: string): void {
    if (!failing.has(file)) log.error({ service: name, file }, `its output could not be rotated: ${problem}`)
    failing.add(file)
  }

  return {
    rotate(output, name, process) {
      const { file, keep } = output
      if (underWay.has(file)) return
      underWay.add(file)
      try {
        const stranger = findStranger(output)
        if (stranger !== undefined) {
          throw new ReeveError('failed', `${stranger} is in the way, and is none of its rotated files: move it away`)
        }
        const rights = chooseRights(file, process)
        const words = [dirname(file), basename(file), String(keep), host.userId() === 0 ? 'protected' : 'own']
        const command = [...rights, '/bin/sh', '-c', `${protectedPathFunctions}${script}`, 'sh', ...words]
        const environment = { PATH: '/usr/local/bin:/usr/bin:/bin' }
        const before = host.facts(file)?.size ?? 0
        // The service's user must not write to it; and a problem of repeated attempts is reported once.
        const isHeard = rights.length === 0 && !failing.has(file)
        const say = isHeard ? { output: layout.log, outputMode: 0o600 } : {}
        const child = host.spawn(command, { environment, directory: '/', ...say })
        if (!failing.has(file)) log.info({ service: name, file }, 'its output is rotated')
        void child.exited.then(() => {
          underWay.delete(file)
          if ((host.facts(file)?.size ?? 0) < before) failing.delete(file)
          else complain(file, name, `user ${process?.user ?? host.userId()} must be able to write ${dirname(file)}`)
        })
      } catch (error) {
        underWay.delete(file)
        complain(file, name, messageOf(error))
      }
    },
  }
}
