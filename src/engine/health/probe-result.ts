import type { WriteHost } from '../../core/contracts/host.ts'

export type ProbeResult = { readonly healthy: true } | { readonly healthy: false; readonly message: string }

export type ProbeHost = Pick<WriteHost, 'run' | 'userId' | 'findUser' | 'findGroup' | 'readFile' | 'readProtectedFile'>
