import type { Provider } from '../src/core/provider.ts'

/** The providers that come with Reeve, each loaded only when asked for. The one place that knows them by name. */
export const builtinProviders: Readonly<Record<string, () => Promise<Provider>>> = {
  process: async () => (await import('./process/index.ts')).processProvider,
  systemd: async () => (await import('./systemd/index.ts')).systemdProvider,
}
