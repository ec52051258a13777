export type ProbeResult = { readonly healthy: true } | { readonly healthy: false; readonly message: string }
