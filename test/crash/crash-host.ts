import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import type { PortableField } from '../../src/core/model/facility.ts'
import { applyOnce } from '../../src/engine/execution/apply.ts'
import { makePlanRun } from '../../src/engine/refresh/plan-run.ts'
import { readRecord } from '../../src/engine/session/state-files.ts'
import { createHarnessHost } from '../labs/harness-host.ts'

/** Specs of the facilities of a revision, by name. */
export type Revision = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** `distinct`: those that leave different states behind; see apply-child.ts. */
export type Moments = 'all' | 'distinct'

/** Paths of a scenario on one host. */
export interface Place {
  /** Of a configuration file. */
  path(name: string): string
  /** Command that runs endlessly and survives HUP; each variant's processes can be told from all others. */
  command(variant: number): readonly string[]
  /** The provider honours that field of `spec.process`; what it refuses is left out of the scenario. */
  honours(field: PortableField): boolean
}

/** Host with two supervisors, `lab` and `other`. */
export interface CrashHost extends AsyncDisposable {
  readonly place: Place
  declare(revision: Revision): void
  /** Applies, undisturbed; throws if anything fails, or with `fails`, if nothing does. */
  apply(fails?: boolean): Promise<void>
  /**
   * Applies in a process that dies at the moment: returns the effect it died at, or the number of moments if it survived.
   */
  applyAndDie(moment: number, which: Moments): Promise<CrashOutcome>
  /** Everything that a user could see of the result. Equal results mean equal ends. */
  look(): Promise<Look>
}

export type CrashOutcome =
  | { readonly died: string }
  /** It survived; `problems`: failures, and facilities that weren't ready. */
  | { readonly moments: number; readonly problems?: string }

export interface Look {
  readonly services: readonly unknown[]
  readonly owned: readonly unknown[]
  /** Contents of managed files and definitions. */
  readonly files: Readonly<Record<string, string>>
  /** Number of running processes of each variant. */
  readonly processes: Readonly<Record<string, number>>
  /** All paths of the host; parts that change from run to run are left out of their names. */
  readonly paths: readonly string[]
  /** Facilities and supervisors recorded in the state directory. */
  readonly remembered: readonly string[]
  /** Steps of a further apply. */
  readonly plan: readonly string[]
}

/** `applyChild` is the path of apply-child.ts, as plain Node can run it. */
export async function createCrashHost(harness: ConformanceHarness, applyChild: string): Promise<CrashHost> {
  const host = await createHarnessHost(harness)
  const { directory, manifests, config, stateDir, session, supervisors } = host
  const prefix = `variant ${directory} `

  function declare(revision: Revision): void {
    const all = [...supervisors]
    for (const [name, spec] of Object.entries(revision)) {
      const patient = { readySeconds: 0.5, ...spec }
      all.push({ apiVersion: 'reeve/v1', kind: 'Facility', metadata: { name }, spec: patient })
    }
    writeFileSync(join(manifests, 'all.yaml'), all.map(document => JSON.stringify(document)).join('\n---\n'))
  }

  declare({})
  return {
    place: {
      path: name => join(directory, 'files', name),
      command: variant => [
        '/bin/sh',
        '-c',
        'trap : HUP; sleep 1000000 & while kill -0 $!; do wait $!; done',
        `${prefix}${variant}`,
      ],
      honours: field => harness.provider.capabilities.process.includes(field),
    },
    declare,
    async apply(fails = false) {
      const { failed, notReady, plan } = await applyOnce(session, {
        allowRemovals: 1_000,
        signal: new AbortController().signal,
        listener() {},
      })
      const blocked = plan.facilities.flatMap(facility => facility.blocked ?? [])
      const problems = [...plan.diagnostics, ...blocked, ...failed, ...notReady]
      if (fails && problems.length === 0) throw new Error('an apply that has to fail did not')
      if (!fails && problems.length > 0) throw new Error(`an undisturbed apply failed: ${JSON.stringify(problems)}`)
    },
    applyAndDie: (moment, which) => runChild([applyChild, config, manifests, stateDir, String(moment), which]),
    async look() {
      const { refresh, plan } = await makePlanRun(session)
      const contents = [...refresh.snapshot.files].map(([path, file]) => [
        relative(directory, path),
        file.content ? `${file.mode?.toString(8)} ${new TextDecoder().decode(file.content)}` : file.kind,
      ])
      const { applied, instances } = readRecord(stateDir, session.readHost)
      const look: Look = {
        services: refresh.targets.map(({ facility, definition, files }) => {
          const observed = refresh.snapshot.services.get(`${facility.supervisor}/${facility.service}`)
          const isLoaded =
            observed?.loaded !== undefined &&
            observed.loaded.definition === definition?.digest &&
            files.every(file => observed.loaded?.files[file.path] === file.digest)
          const { state, enabled, supervised } = observed ?? {}
          const isApplied = applied.get(facility.name)?.digest === facility.digest
          return {
            name: facility.name,
            supervisor: facility.supervisor,
            state,
            enabled,
            supervised,
            isLoaded,
            isApplied,
          }
        }),
        owned: refresh.snapshot.owned,
        files: Object.fromEntries(contents),
        processes: countProcesses(prefix),
        paths: listPaths(directory),
        remembered: [...applied.keys(), ...instances.keys()].sort(),
        plan: plan.facilities.flatMap(({ steps }) => steps.map(({ id }) => id)),
      }
      // Each host has a directory of its own, so digests of paths differ too.
      const text = JSON.stringify(look).replaceAll(directory, 'HOST')
      return JSON.parse(text.replace(/\b(?:[0-9a-f]{64}|(?<=cmd:)[0-9a-f]{16})\b/g, 'DIGEST'))
    },
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  }
}

function runChild(args: readonly string[]): ReturnType<CrashHost['applyAndDie']> {
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    running.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    running.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    running.on('error', reject)
    running.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve({ died: stdout.trim() })
      else if (code === 0) resolve({ moments: Number(stdout) })
      else if (code === 2) resolve({ moments: Number(stdout), problems: stderr })
      else reject(new Error(`the child failed by itself (${code ?? signal}): ${stderr}`))
    })
  })
}

/** Processes that aren't another's child: a shell that is about to run a program looks like its parent. */
function countProcesses(prefix: string): Record<string, number> {
  const found = new Map<string, { readonly variant: string; readonly parent: string }>()
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    const variant = readQuietly(`/proc/${pid}/cmdline`).split('\0').at(-2)
    if (!variant?.startsWith(prefix)) continue
    const stat = readQuietly(`/proc/${pid}/stat`)
    const [state, parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state !== undefined && state !== 'Z' && state !== 'X') {
      found.set(pid, { variant: variant.slice(prefix.length), parent })
    }
  }
  const counts: Record<string, number> = {}
  for (const { variant, parent } of found.values()) {
    if (!found.has(parent)) counts[variant] = (counts[variant] ?? 0) + 1
  }
  return counts
}

function listPaths(directory: string): string[] {
  const found: string[] = []
  const visit = (path: string): void => {
    for (const name of readdirSync(path)) {
      const below = join(path, name)
      found.push(
        relative(directory, below)
          .replace(/\d+-\d+-[0-9a-f]{8}\.json/, 'CLAIM')
          .replace(/\d+/g, 'N'),
      )
      if (statSync(below, { throwIfNoEntry: false })?.isDirectory()) visit(below)
    }
  }
  visit(directory)
  return found.sort()
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
