import { join } from 'node:path'
import type { Rendered } from '../../src/core/contracts/provider.ts'
import type { DefinitionFile } from '../../src/core/model/definition.ts'
import type { Facility, Instance } from '../../src/core/model/facility.ts'
import type { Ownership } from '../../src/core/state/observed.ts'
import { renderDefinition } from '../scan-directory/definition/definition.ts'
import type { FamilyScripts, ScriptedFamily } from '../scan-directory/family.ts'
import { type Layout, type Place, placeOf } from '../scan-directory/layout.ts'
import { pidFileOf } from './status.ts'

export const layout: Layout = { services: '/etc/init.d', definitions: '/etc/reeve-openrc', owner: undefined }

/** Programs that the run script may execute which then execute the service. */
export const launchers: readonly string[] = ['setsid', 'setpriv']

/** Time in seconds that supervise-daemon gives the run script beyond the service's own timeout. */
const stopGrace = 10

const scripts: FamilyScripts = {
  session: ['setsid'],
  selectUser({ user }) {
    const own = user === undefined ? '--clear-groups' : '--reuid=$__reeve_uid --init-groups'
    return `__reeve_user="setpriv --regid=$__reeve_gid ${own} --"`
  },
  hasFinish: false,
  hasControl: false,
  signalsGroup: true,
  // supervise-daemon 0.45.2 takes TERM for the end of its service, and removes it from those started.
  stayDown: 'kill -15 "$__reeve_supervisor"',
  // The directory of the definition has the name of the service; rc-service makes this entry before it stops anything.
  isWantedDown: `[ -L "/run/openrc/stopping/\${PWD##*/}" ]`,
  runLogger: () => '',
  findRotationProblem: () => undefined,
  settings: [],
  moreFiles: () => ({}),
}

const family: ScriptedFamily = {
  type: 'openrc',
  supervisor: 'supervise-daemon',
  scripts,
  serviceDirectory: layout.services,
  definitionDirectory: layout.definitions,
}

export function renderService(facility: Facility, instance: Instance, ownership: Ownership): Rendered {
  const rendered = renderDefinition(family, facility, instance, ownership)
  if (!('definition' in rendered) || !facility.process) return rendered
  const { files, digest } = rendered.definition
  const script = renderScript(facility, facility.process.stop.timeout, placeOf(layout, facility.service))
  return { definition: { files: [...files, script], digest } }
}

/**
 * Script of the service in OpenRC's directory. supervise-daemon runs the run script, which stays as the parent of the service,
 * and respawns it without limit: OpenRC knows no restart policy, and doesn't record how a run has ended.
 */
function renderScript({ name, service }: Facility, timeout: number, place: Place): DefinitionFile {
  const content = `#!/sbin/openrc-run
# Made by Reeve for facility ${name}: what is changed here is changed back.
supervisor=supervise-daemon
directory=${place.directory}
command=${join(place.directory, 'run')}
pidfile=${pidFileOf(service)}
respawn_delay=1
respawn_max=0
retry=TERM/${Math.ceil(timeout / 1_000) + stopGrace}/KILL/5
`
  return { path: place.link, content, mode: 0o755 }
}
