import type { HostingProvider } from '../../src/core/contracts/hosting.ts'
import type { Applier, ApplierTools, Observer, ObserverTools } from '../../src/core/contracts/provider.ts'
import type { Instance } from '../../src/core/model/facility.ts'
import { findInsecurePath } from '../../src/core/paths/path-permissions.ts'
import { messageOf } from '../../src/core/reeve-error.ts'
import { createConnections } from './apply/connection.ts'
import { hosting } from './apply/hosting.ts'
import { busQueries, readVersion } from './bus/manager.ts'
import { observeAdoptable } from './observe/adoption.ts'
import { journalQuery, readJournal } from './observe/failure-report.ts'
import { findAliases, findServiceOf } from './observe/identity.ts'
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
import { createVerifier, type Verifier, verifyDeclared, verifyQuery } from './units/verification.ts'

const rotatesNothing =
  'systemd rotates no files; leave it away and set up logrotate, or leave output away and use the journal'

/** Provider for systemd, the system manager or a user manager. See README.md beside this file. */
export const systemdProvider: HostingProvider = createSystemdProvider()

function createSystemdProvider(): HostingProvider {
  /** One for all: what is said of a text is the same whoever asks, and takes long. */
  const verifier = createVerifier()
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
    render: renderDefinition,
    openObserver: (instance, tools) => openObserver(instance, tools, verifier),
    openApplier: (instance, tools) => openApplier(instance, tools, verifier),
    identify: instance => ({ place: unitDirectoryOf(instance) }),
    directories: instance => [unitDirectoryOf(instance), ...searchedDirectories],
    serviceNames,
    findNameProblem,
    findStateProblem,
    hosting,
  }
}

function openObserver(instance: Instance, tools: ObserverTools, verifier: Verifier): Observer {
  const { host } = tools
  const layout = layoutOf(instance, host)
  const bus = host.openBus(layout.manager)
  const ground = { bus, host, layout, restarts: createRestartReader(), lastRuns: createLastRunReader() }
  return {
    async probe() {
      try {
        const insecure = host.userId() === 0 ? findInsecurePath(layout.unitDirectory, host, 0) : undefined
        if (insecure) return { available: false, reason: insecure.problem }
        const version = await readVersion(bus)
        const why = 'a user’s systemd can change neither user nor group'
        return { available: true, version, ...(layout.isUser && { lacks: { user: why, group: why } }) }
      } catch (error) {
        return { available: false, reason: messageOf(error) }
      }
    },
    list: async () => listOwned(layout, host),
    observe: services => observeServices(services, ground),
    watch: hint => watchManager(layout, tools, hint),
    observeAdoptable: (service, definition) => observeAdoptable(service, definition, ground),
    relate: (services, { isElsewhere = false }) => relateUnits(services, ground, isElsewhere),
    findHostProblems({ process }, { files }) {
      const problems = findRootPathProblems(
        files.map(({ content }) => content),
        host,
      )
      return problems.length > 0 || !process ? problems : findServiceOutputProblems(process, host)
    },
    startNeeds: (facility, definition) => findStartNeeds(facility, definition, instance, host),
    verify: services => verifyDeclared(services, { bus, host, layout, verifier }),
    readLastLines: (service, count) => readJournal(unitOf(service), layout, host, count),
    serviceOf: pid => findServiceOf(pid, layout, host),
    aliasesOf: service => findAliases(service, layout, host),
    [Symbol.dispose]: () => bus[Symbol.dispose](),
  }
}

function openApplier(instance: Instance, { host, clock }: ApplierTools, verifier: Verifier): Applier {
  const layout = layoutOf(instance, host)
  const connections = createConnections(layout, host, clock)
  return {
    async apply(actions, report) {
      const { applyActions } = await import('./apply/application.ts') // not needed for observing
      return applyActions(actions, layout, host, { connections, verifier }, report)
    },
    async keepRuns(services) {
      const { keepRuns } = await import('./apply/run-keeping.ts') // not needed for observing
      return keepRuns(services, layout, host)
    },
    [Symbol.dispose]() {},
  }
}
