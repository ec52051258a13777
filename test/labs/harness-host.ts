import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConformanceHarness, ConformanceSupervisor } from '../../src/conformance/index.ts'
import { openSession, type Session } from '../../src/engine/session/session.ts'

/** Host with two supervisors of a provider, `lab` and `other`, for the harnesses. */
export interface HarnessHost extends AsyncDisposable {
  readonly directory: string
  readonly manifests: string
  readonly config: string
  readonly stateDir: string
  readonly session: Session
  /** Manifests of the supervisors. */
  readonly supervisors: readonly object[]
}

export async function createHarnessHost(harness: ConformanceHarness): Promise<HarnessHost> {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-host-'))
  const manifests = join(directory, 'manifests')
  const config = join(directory, 'reeve.yaml')
  const stateDir = join(directory, 'state')
  mkdirSync(manifests)
  mkdirSync(join(directory, 'files'))
  const providers = harness.module === undefined ? [] : [harness.module]
  const kind = { apiVersion: 'reeve/v1', kind: 'HostConfiguration' }
  writeFileSync(config, JSON.stringify({ ...kind, defaultSupervisor: 'lab', providers }))
  const { type } = harness.provider
  const running: ConformanceSupervisor[] = []
  const supervisors: object[] = []
  for (const name of ['lab', 'other']) {
    const own = join(directory, `supervisor-${name}`)
    mkdirSync(own)
    const supervisor = await harness.setUp(own)
    running.push(supervisor)
    supervisors.push({
      apiVersion: 'reeve/v1',
      kind: 'Supervisor',
      metadata: { name },
      spec: { type, [type]: supervisor.options },
    })
  }
  const session = await openSession({
    config,
    directory: manifests,
    stateDir,
    insecurePermissions: true,
    extraProviders: [harness.provider],
  })
  return {
    directory,
    manifests,
    config,
    stateDir,
    session,
    supervisors,
    async [Symbol.asyncDispose]() {
      for (const supervisor of running) await supervisor.tearDown()
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
