import { join } from 'node:path'
import type { HostingProvider } from '../../src/core/contracts/hosting.ts'
import type { Applier, Observer } from '../../src/core/contracts/provider.ts'
import { findTool } from '../posix/tools.ts'
import { listOwned } from '../scan-directory/definition/marker.ts'
import { scriptFields } from '../scan-directory/family.ts'
import { layout, renderService } from './definition.ts'
import { observeService } from './observation.ts'
import { findAbsence, marks, stateDirectory } from './status.ts'

const tools = ['rc-service', 'supervise-daemon', 'setsid', 'sha256sum']

const outputRefusal = 'supervise-daemon opens a log as root, wherever its path leads; have the service write one itself'

/** Provider for OpenRC and its supervise-daemon. See README.md beside this file. */
export const openrcProvider: HostingProvider = {
  type: 'openrc',
  capabilities: {
    process: scriptFields.filter(field => !field.startsWith('output.')),
    refusals: {
      'output.file': outputRefusal,
      'output.maxSize': outputRefusal,
      'output.keep': outputRefusal,
    },
  },
  render: renderService,
  openObserver: (_instance, { host }): Observer => ({
    async probe() {
      const reason = findAbsence(host)
      if (reason !== undefined) return { available: false, reason }
      const missing = tools.find(tool => findTool(host, tool) === undefined)
      return missing === undefined
        ? { available: true }
        : { available: false, reason: `there is no ${missing} on this host` }
    },
    list: async () => listOwned(layout, host),
    observe: async services => new Map(services.map(service => [service, observeService(service, host)])),
    watch(hint) {
      const watches = marks.map(mark => host.watch(join(stateDirectory, mark), hint))
      const records = new Map<string, Disposable>()
      const follow = (): void => {
        const names = (host.readDirectory(layout.definitions) ?? []).filter(name => !name.startsWith('.'))
        for (const [name, watch] of records) {
          if (names.includes(name)) continue
          watch[Symbol.dispose]()
          records.delete(name)
        }
        for (const name of names) {
          if (!records.has(name)) {
            records.set(
              name,
              host.watch(join(layout.definitions, name, 'reeve'), () => hint(name)),
            )
          }
        }
      }
      watches.push(
        host.watch(layout.services, hint),
        host.watch('/etc/runlevels/default', hint),
        host.watch(layout.definitions, () => {
          follow()
          hint()
        }),
      )
      follow()
      return {
        [Symbol.dispose]() {
          for (const watch of [...watches, ...records.values()]) watch[Symbol.dispose]()
        },
      }
    },
    [Symbol.dispose]() {},
  }),
  openApplier: (_instance, applierTools): Applier => ({
    async apply(actions, report) {
      const { createApply } = await import('./application.ts') // not needed for observing
      return createApply(applierTools)(actions, report)
    },
    [Symbol.dispose]() {},
  }),
  identify: () => ({ place: layout.services, layout: [layout.services, layout.definitions] }),
  directories: () => [layout.services, layout.definitions, '/etc/runlevels/default'],
  hosting: {
    refusal:
      'the controller has not been tried under OpenRC yet; run `reeve apply` from cron or by hand, or `reeve run` as a service of your own',
  },
  findNameProblem: service =>
    service.endsWith('.sh') ? 'OpenRC takes no script whose name ends with .sh for a service' : undefined,
}
