import type { Facility, Process } from '../../src/core/model/facility.ts'

/** Process of a minimal manifest. */
export const plainProcess: Omit<Process, 'command'> = {
  environment: {},
  environmentFiles: [],
  limits: {},
  restart: { policy: 'always', delay: 1_000 },
  stop: { signal: 'TERM', timeout: 10_000 },
}

/** Facility of a minimal manifest. Its service has its name, unless another is given. */
export function plainFacility(facility: Partial<Facility> & Pick<Facility, 'name' | 'supervisor'>): Facility {
  return {
    service: facility.name,
    labels: {},
    state: 'running',
    enabled: true,
    files: [],
    onChange: 'restart',
    dependsOn: [],
    adopt: false,
    readyAfter: 1_000,
    prune: true,
    suspend: false,
    position: { file: 'test.yaml', line: 1, column: 1 },
    digest: '',
    ...facility,
  }
}
