import type { Provider } from '../../src/core/contracts/provider.ts'
import { findInsecurePath } from '../../src/core/paths/path-permissions.ts'
import { messageOf } from '../../src/core/reeve-error.ts'
import { createClock } from '../../src/host/clock.ts'
import { createConnections } from './apply/connection.ts'
import { hosting } from './apply/hosting.ts'
import { findAliases, findServiceOf } from './bus/identity.ts'
import { busQueries, probeManager } from './bus/manager.ts'
import { observeAdoptable } from './observe/adoption.ts'
import { journalQuery, readJournal } from './observe/failure-report.ts'
import { createLastRunReader } from './observe/last-run.ts'
import { listOwned, observeServices } from './observe/observation.ts'
import { relateUnits } from './observe/relations.ts'
import { createRestartReader } from './observe/restarts.ts'
import { findStartNeeds } from './observe/start-needs.ts'
import { watchManager } from './observe/watch.ts'
import { configSchema, optionsSchema } from './units/configuration.ts'
import { renderDefinition } from './units/definition.ts'
import { layoutOf, searchedDirectories, unitDirectoryOf } from './units/layout.ts'
import { findRootPathProblems, findServiceOutputProblems } from './units/root-paths.ts'
import { findNameProblem, findStateProblem, serviceNames, unitOf } from './units/unit-name.ts'
import { createVerifier, verifyDeclared, verifyQuery } from './units/verification.ts'

const rotatesNothing =
  'systemd rotates no files; leave it away and set up logrotate, or leave output away and use the journal'

/** systemd, the system's or a user's. See README.md beside this file. */
export const systemdProvider: Provider = createSystemdProvider()

function createSystemdProvider(): Provider {
  const connections = createConnections(createClock())
  const verifier = createVerifier()
  const memory = { restarts: createRestartReader(), lastRuns: createLastRunReader() }
  return {
    type: 'systemd',
    capabilities: {
      process: [
        'command',
        'workingDirectory',
        'user',
        'group',
        'umask',
        'environment',
        'environment.fromFile',
        'environmentFiles',
        'limits',
        'restart.policy',
        'restart.delay',
        'stop.signal',
        'stop.timeout',
        'reload.signal',
        'reload.command',
        'output.file',
      ],
      refusals: {
        'output.maxSize': rotatesNothing,
        'output.keep': rotatesNothing,
      },
      configSchema,
      configSource: 'text',
      configSourceIn: ['socket', 'timer', 'dropIns.*'],
      optionsSchema,
      queries: [journalQuery, verifyQuery],
      busQueries,
    },
    place: unitDirectoryOf,
    serviceNames,
    findNameProblem,
    findStateProblem,
    directories: instance => [unitDirectoryOf(instance), ...searchedDirectories],
    serviceOf: (pid, instance, host) => findServiceOf(pid, layoutOf(instance, host), host),
    aliasesOf: (service, instance, host) => findAliases(service, layoutOf(instance, host), host),
    async probe(instance, host) {
      try {
        const layout = layoutOf(instance, host)
        const insecure = host.userId() === 0 ? findInsecurePath(layout.unitDirectory, host, 0) : undefined
        if (insecure) return { available: false, reason: insecure.problem }
        const version = await probeManager(host, layout)
        const why = 'a user’s systemd can change neither user nor group'
        return { available: true, version, ...(layout.isUser && { lacks: { user: why, group: why } }) }
      } catch (error) {
        return { available: false, reason: messageOf(error) }
      }
    },
    render: renderDefinition,
    findHostProblems: ({ process }, { files }, host) => {
      const problems = findRootPathProblems(
        files.map(({ content }) => content),
        host,
      )
      return problems.length > 0 || !process ? problems : findServiceOutputProblems(process, host)
    },
    startNeeds: findStartNeeds,
    async list(instance, host) {
      return listOwned(layoutOf(instance, host), host)
    },
    observe: (services, instance, host) => observeServices(services, layoutOf(instance, host), host, memory),
    observeAdoptable: (service, definition, instance, host) =>
      observeAdoptable(service, definition, layoutOf(instance, host), host, memory),
    readLastLines: (service, instance, host, count) =>
      readJournal(unitOf(service), layoutOf(instance, host), host, count),
    keepRuns: async (services, instance, host) => {
      const { keepRuns } = await import('./observe/run-keeping.ts') // not needed by those who only look
      return keepRuns(services, layoutOf(instance, host), host)
    },
    relate: (services, instance, host, { isElsewhere = false }) =>
      relateUnits(services, layoutOf(instance, host), host, isElsewhere),
    verify: (services, instance, host) =>
      verifyDeclared(services, { layout: layoutOf(instance, host), host, verifier }),
    async apply(actions, instance, host, report) {
      const { applyActions } = await import('./apply/application.ts') // not needed by those who only look
      const layout = layoutOf(instance, host)
      return applyActions(actions, layout, host, { connections, verifier }, report)
    },
    hosting,
    watch: (instance, host, hint) => watchManager(layoutOf(instance, host), host, hint),
  }
}
