import type { Provider } from '../src/core/provider.ts'

/** The providers that come with Reeve, loaded by whoever opens a session. The one place that knows them by name. */
export const builtinProviders: Readonly<Record<string, () => Promise<Provider>>> = {
  daemontools: async () => (await import('./daemontools/index.ts')).daemontoolsProvider,
  process: async () => (await import('./process/index.ts')).processProvider,
  runit: async () => (await import('./runit/index.ts')).runitProvider,
  s6: async () => (await import('./s6/index.ts')).s6Provider,
  systemd: async () => (await import('./systemd/index.ts')).systemdProvider,
}
