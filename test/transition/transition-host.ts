import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import type { ApplyOutcome } from '../../src/core/contracts/apply-outcome.ts'
import type { Diagnostic } from '../../src/core/model/diagnostic.ts'
import { applyOnce } from '../../src/engine/execution/apply.ts'
import { makePlanRun } from '../../src/engine/refresh/plan-run.ts'
import { createHarnessHost } from '../labs/harness-host.ts'
import { type Fragment, listTransitions, merge, type Surroundings, type Transition } from './transitions.ts'

export type Revision = 'old' | 'next' | 'invalid'

/** Host with one facility for each transition. */
export interface TransitionHost extends AsyncDisposable {
  readonly transitions: readonly Transition[]
  /** The facilities of these transitions as they are in that revision, and no others. */
  declare(transitions: readonly Transition[], revision: Revision): void
  /** Throws if anything fails. */
  apply(): Promise<void>
  /** Applies an invalid revision, and returns its problems; throws if a step was executed. */
  applyInvalid(): Promise<readonly Diagnostic[]>
  /** Ids of the steps of an apply. */
  plan(): Promise<readonly string[]>
  look(): Promise<Look>
}

export type Facts = Readonly<Record<string, unknown>>

/** State that a user could see. The states of two hosts are equal if their ends are. */
export interface Look {
  /** By the name of the transition's facility. */
  readonly facilities: ReadonlyMap<string, Facts>
  /** The process, with its definition and loaded files: while those are the same, so is the process. */
  readonly processes: ReadonlyMap<string, { readonly loaded: string; readonly pid: number | undefined }>
  /** Existing definitions, markers and managed files, whoever they belong to. */
  readonly owned: readonly string[]
  readonly files: readonly string[]
}

export type Settings = Pick<Surroundings, 'config' | 'ports'>

export async function createTransitionHost(harness: ConformanceHarness, settings: Settings): Promise<TransitionHost> {
  const host = await createHarnessHost(harness)
  const { directory, manifests, session, supervisors } = host
  const path = (name: string): string => join(directory, 'files', name)
  for (const name of ['one', 'two']) {
    mkdirSync(path(name))
    writeFileSync(path(`${name}.env`), `FROM=${name}\n`)
  }
  const transitions = listTransitions({
    ...settings,
    type: harness.provider.type,
    path,
    source: name => `./${name}.source`,
    isRoot: process.geteuid?.() === 0,
    capabilities: harness.provider.capabilities,
  })

  function declare(chosen: readonly Transition[], revision: Revision): void {
    for (const name of readdirSync(manifests)) rmSync(join(manifests, name))
    for (const name of ['one', 'two']) writeFileSync(join(manifests, `${name}.source`), `${name}\n`)
    const anchor = manifestOf('anchor', {})
    writeFileSync(
      join(manifests, 'host.yaml'),
      [...supervisors, anchor].map(text => JSON.stringify(text)).join('\n---\n'),
    )
    for (const transition of chosen) {
      const name = nameOf(transition, transitions)
      writeFileSync(
        join(manifests, `${name}.yaml`),
        JSON.stringify(manifestOf(name, transition[revision] ?? transition.old)),
      )
    }
  }

  const tryApply = (): Promise<ApplyOutcome> =>
    applyOnce(session, { allowRemovals: 1_000, signal: new AbortController().signal, listener() {} })

  return {
    transitions,
    declare,
    async apply() {
      const { plan, failed, notReady } = await tryApply()
      const blocked = plan.facilities.filter(facility => facility.blocked !== undefined)
      const problems = [...plan.diagnostics, ...blocked, ...failed, ...notReady]
      if (problems.length > 0) throw new Error(`an apply failed: ${JSON.stringify(problems)}`)
    },
    async applyInvalid() {
      const { plan, stepsDone } = await tryApply()
      if (stepsDone > 0) throw new Error(`an apply of invalid manifests has done ${stepsDone} steps`)
      return plan.diagnostics
    },
    async plan() {
      const { plan } = await makePlanRun(session)
      return plan.facilities.flatMap(({ steps }) => steps.map(({ id }) => id))
    },
    async look() {
      const { refresh } = await makePlanRun(session)
      const facilities = new Map<string, Facts>()
      const processes = new Map<string, Look['processes'] extends ReadonlyMap<string, infer One> ? One : never>()
      const neutral = (value: Facts): Facts => {
        const text = JSON.stringify(value).replaceAll(directory, 'HOST')
        // Without paths of the host. `isLoaded` tells that the process has the digest of its definition.
        return JSON.parse(text.replace(/(?<=REEVE_DEFINITION=)[0-9a-f]{64}/g, 'DIGEST'))
      }
      for (const { facility, definition, files } of refresh.targets) {
        const observed = refresh.snapshot.services.get(`${facility.supervisor}/${facility.service}`)
        const { state, enabled, supervised, ownership, definitionFiles, loaded, pid } = observed ?? {}
        const name = facility.name === 'latter' ? 'former' : facility.name
        processes.set(name, {
          loaded: JSON.stringify([facility.name, facility.supervisor, facility.service, loaded]),
          pid,
        })
        facilities.set(
          name,
          neutral({
            supervisor: facility.supervisor,
            service: facility.service,
            state,
            enabled,
            supervised,
            ownership,
            definitionFiles,
            isLoaded: loaded && [
              loaded.definition === definition?.digest,
              ...files.map(file => loaded.files[file.path] === file.digest),
            ],
            files: [...(definition?.files ?? []), ...files].map(file => describeFile(file.path)),
            ...(pid === undefined ? {} : describeProcess(pid)),
          }),
        )
      }
      const owned = refresh.snapshot.owned.map(({ supervisor, service }) => `${supervisor}/${service}`)
      const found = readdirSync(join(directory, 'files')).filter(name => !/\.log/.test(name))
      return { facilities, processes, owned: owned.sort(), files: found.sort() }
    },
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  }
}

/** Name of its facility, except in the transition about the name. */
export function nameOf(transition: Transition, all: readonly Transition[]): string {
  if (transition.field === 'metadata.name') return 'former'
  return `${transition.field.replaceAll('*', 'any')}-${all.indexOf(transition)}`
}

function manifestOf(name: string, fragment: Fragment): Fragment {
  const plain = {
    apiVersion: 'reeve/v1',
    kind: 'Facility',
    metadata: { name },
    spec: { process: { command: ['/bin/sleep', '1000000'] }, readySeconds: 0.5 },
  }
  return merge(plain, fragment)
}

function describeFile(path: string): string {
  if (!existsSync(path)) return `${path} absent`
  const { mode, uid, gid } = statSync(path)
  return `${path} ${mode.toString(8)} ${uid} ${gid} ${readFileSync(path, 'utf8')}`
}

/** Variables by which supervisors tell a process of this very start, and of themselves. */
const ofThisStart = /^(?:REEVE_RUN|INVOCATION_ID|JOURNAL_STREAM|MANAGERPID|SYSTEMD_EXEC_PID)=/

/** Everything that a manifest can change in a process. */
function describeProcess(pid: number): Facts {
  const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'latin1')
  const lines = [...read('limits').split('\n'), ...read('status').split('\n')]
  const settings = lines.flatMap(
    line => /^(Max [a-z ]+?|Umask|Uid|Gid|Groups):?\s\s*([\S].*)$/.exec(line)?.slice(1, 3) ?? [],
  )
  return {
    command: read('cmdline'),
    environment: read('environ')
      .split('\0')
      .filter(variable => !ofThisStart.test(variable))
      .sort(),
    directory: readlinkSync(`/proc/${pid}/cwd`),
    output: readlinkSync(`/proc/${pid}/fd/1`).replace(/\[\d+\]/, '[N]'),
    settings,
  }
}
