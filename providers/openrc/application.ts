import { join } from 'node:path'
import { eachAction, type Task, type VerbActs } from '../../src/authoring/each-action.ts'
import type { Applier, ApplierTools } from '../../src/core/contracts/provider.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { readSums } from '../scan-directory/apply/verbs.ts'
import { removeContents } from '../scan-directory/definition/contents.ts'
import { readClaim, readProblem, withoutFailures } from '../scan-directory/definition/records.ts'
import { type Place, placeOf } from '../scan-directory/layout.ts'
import { layout } from './definition.ts'
import { bootRunlevels, isCrashed, type Run, readRun } from './observation.ts'

/** Time in ms that rc-service may take: it waits for the services that a service needs. */
const commandTimeout = 600_000

/** Time in ms that the run script may prepare the service. */
const startLimit = 60_000

/** Interval in ms at which the end of a process is looked for. */
const interval = 20

/** Files of a definition that another one of the same service may lack. */
const optionalFiles = ['reeve/reload']

export function createApply({ host, clock }: ApplierTools): Applier['apply'] {
  async function callService(verb: string, { service }: Place, { signal }: Task): Promise<void> {
    // Told by OpenRC to what it runs; rc-service would take this for a call by that service.
    const command = ['env', '-u', 'RC_SVCNAME', 'rc-service', '--', service, verb]
    const { exitCode, stdout, stderr } = await host.run(command, {
      timeout: commandTimeout,
      signal,
      hasOwnSession: true,
    })
    if (exitCode === 0) return
    const said = `${stderr}\n${stdout}`.trim().split('\n').at(0)
    throw new ReeveError(
      'failed',
      `rc-service ${service} ${verb} ended with exit code ${exitCode}${said ? `: ${said}` : ''}`,
    )
  }

  /** OpenRC would neither start it, as it has been started, nor stop what is left of it. */
  function isLost({ status }: Run, place: Place): boolean {
    if (host.facts(place.records)) return status.daemon === undefined
    return status.marks.has('started') && isCrashed(status, host)
  }

  async function stop(task: Task): Promise<void> {
    const place = placeOf(layout, task.service)
    const before = readRun(place, host)
    if (before.status.daemon !== undefined || before.status.marks.size > 0) {
      await callService(isLost(before, place) ? 'zap' : 'stop', place, task)
    }
    // What a killed supervise-daemon has left behind.
    if (readRun(place, host).process) await host.run([join(place.records, 'stop')], { directory: place.directory })
    const isOver = (): boolean => {
      const { process, status } = readRun(place, host)
      return process === undefined && status.daemon === undefined
    }
    await task.waitUntil(isOver, { interval })
  }

  async function start(task: Task): Promise<void> {
    const place = placeOf(layout, task.service)
    const before = readRun(place, host)
    if (before.status.daemon !== undefined && before.isLaunched) return
    if (!host.facts(place.records)) {
      if (isLost(before, place)) await callService('zap', place, task)
      await callService('start', place, task)
      return
    }
    // It may wait to start again, be at an end, or be what a killed supervise-daemon has left behind.
    await stop(task)
    const path = join(place.records, 'ended')
    const begun = withoutFailures(host.readText(path))
    if (begun !== undefined) host.writeFile(path, begun, { mode: 0o600 })
    const claim = join(place.records, 'claim')
    if (host.readText(claim)?.startsWith('- ')) host.writeFile(claim, '', { mode: 0o600 })
    const endings = host.readText(path)
    const claimed = readClaim(place, host)?.startTime
    await callService('start', place, task)
    const hasFailed = (): boolean =>
      readProblem(place, host) !== undefined && readClaim(place, host)?.startTime !== claimed
    await task.waitUntil(() => readRun(place, host).isLaunched || hasFailed() || host.readText(path) !== endings, {
      deadline: startLimit,
      interval,
      what: `${join(place.directory, 'run')} to reach the service`,
    })
    const problem = readProblem(place, host)
    if (problem !== undefined) throw new ReeveError('failed', problem)
  }

  const acts: VerbActs = {
    async install({ service, definition }) {
      const place = placeOf(layout, service)
      const files = definition?.files ?? []
      const isMarker = ({ path }: { path: string }): boolean => path === place.marker
      for (const directory of [layout.definitions, place.directory, place.records]) {
        host.makeDirectory(directory, { mode: 0o755 })
      }
      for (const name of optionalFiles) {
        const path = join(place.directory, name)
        if (!files.some(file => file.path === path)) host.removeFile(path)
      }
      // The marker first: an interrupted install is known to be ours.
      await host.writeFiles([...files.filter(isMarker), ...files.filter(file => !isMarker(file))])
    },
    enable({ service }) {
      if (bootRunlevels.some(runlevel => host.facts(join(runlevel, service)))) return
      host.makeLink(join('/etc/runlevels/default', service), join(layout.services, service))
    },
    disable: ({ service }) => disable(service),
    start,
    stop,
    async reload(task) {
      const { service, signal } = task
      const place = placeOf(layout, service)
      if (!host.facts(place.records)) return callService('reload', place, task)
      const { process } = readRun(place, host)
      if (!process) return
      // Before the process reads: the recorded files must never be newer than the loaded ones.
      const loaded = readSums({ place, host })
      const script = join(place.records, 'reload')
      if (host.facts(script)) {
        const { exitCode, stderr } = await host.run([script, String(process.pid)], {
          directory: place.directory,
          timeout: startLimit,
          signal,
          hasOwnSession: true,
        })
        const said = stderr.trim().split('\n').at(-1)
        if (exitCode !== 0) {
          throw new ReeveError(
            'failed',
            `its reload command ended with exit code ${exitCode}${said ? `: ${said}` : ''}`,
          )
        }
      } else host.kill(process.pid, 'HUP')
      host.writeFile(join(place.records, 'loaded'), loaded, { mode: 0o600 })
    },
    async remove(task) {
      const { service } = task
      const place = placeOf(layout, service)
      disable(service)
      await stop(task)
      host.removeFile(place.link)
      removeContents(place.records, host)
      host.removeFile(join(place.directory, 'run'))
      if (host.facts(place.marker)) host.moveFile(place.marker, place.lastMarker)
      host.removeDirectory(place.directory)
      host.removeFile(place.lastMarker)
    },
  }

  function disable(service: string): void {
    for (const runlevel of bootRunlevels) host.removeFile(join(runlevel, service))
  }

  return eachAction(acts, { clock })
}
