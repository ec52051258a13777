import type { Provider } from '../src/core/contracts/provider.ts'

/**
 * Providers that come with Reeve, loaded when a session is opened. The one place that knows them by name, in the order in
 * which `reeve install` prefers them: first what is pid 1 of most hosts.
 */
export const builtinProviders: Readonly<Record<string, () => Promise<Provider>>> = {
  systemd: async () => (await import('./systemd/index.ts')).systemdProvider,
  s6: async () => (await import('./s6/index.ts')).s6Provider,
  runit: async () => (await import('./runit/index.ts')).runitProvider,
  daemontools: async () => (await import('./daemontools/index.ts')).daemontoolsProvider,
  openrc: async () => (await import('./openrc/index.ts')).openrcProvider,
  process: async () => (await import('./process/index.ts')).processProvider,
}
