import { ReeveError } from '../../../src/core/reeve-error.ts'
import type { Loaded } from '../../../src/core/state/observed.ts'
import { isAlive } from '../../../src/host/process-identity.ts'
import { wrapExecution } from '../../posix/exec-wrapper.ts'
import type { ServiceDefinition } from '../shared/definition.ts'
import { prepareLaunch, readLoaded } from './launch.ts'
import { type Context, type Service, setRecord, trySaveRecord } from './service.ts'
import { preparationOf } from './shim-script.ts'

/** Time in ms that a reload command may take. */
const commandTimeout = 60_000

/** Has the running process reload its configuration. Throws ReeveError. */
export async function reloadProcess(
  service: Service,
  definition: ServiceDefinition & { readonly kind: 'valid' },
  context: Context,
): Promise<void> {
  const { host, log } = context
  const { run, pid, startTime } = service.record
  const { reload } = definition.process
  if (!reload || pid === undefined || startTime === undefined) return
  // Before the process reads: the recorded files must never be newer than the loaded ones.
  const loaded: Loaded = readLoaded(definition, host)
  if ('command' in reload) await runCommand(reload.command, pid, definition, context)
  else if (!isAlive({ pid, startTime }, host) || !host.kill(pid, reload.signal)) return
  if (service.record.run === run) setRecord(service, { ...service.record, loaded })
  trySaveRecord(service, context)
  log.info({ service: service.name, pid }, 'is reloaded')
}

/** As the service's user, in its directory, with its environment and umask; MAINPID is the pid of the service. */
async function runCommand(
  command: readonly string[],
  pid: number,
  { process }: ServiceDefinition & { readonly kind: 'valid' },
  { host, tools, node }: Context,
): Promise<void> {
  const { identity, environment, workingDirectory, wrapper } = prepareLaunch(process, host, tools, node)
  const preparation = preparationOf(process, identity, wrapExecution(wrapper), tools)
  const umask = (process.umask ?? 0o022).toString(8)
  const shell = ['/bin/sh', '-c', `umask ${umask}; exec "$@"`, 'sh']
  const result = await host.run([...shell, ...preparation, ...command], {
    environment: { ...environment, MAINPID: String(pid) },
    directory: workingDirectory,
    timeout: commandTimeout,
    hasOwnSession: true,
  })
  if (result.exitCode === 0) return
  const said = result.stderr.trim().split('\n').at(-1)
  throw new ReeveError('failed', `its reload command ended with exit code ${result.exitCode}${said ? `: ${said}` : ''}`)
}
