import type { WriteHost } from '../core/provider.ts'

export type ProbeResult = { readonly healthy: true } | { readonly healthy: false; readonly message: string }

export type ProbeHost = Pick<WriteHost, 'run' | 'userId' | 'findUser' | 'findGroup' | 'readFile' | 'readProtectedFile'>
