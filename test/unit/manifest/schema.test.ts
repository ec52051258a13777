import { readFileSync } from 'node:fs'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { plan as isPlanFile } from '#schemas/compiled/plan.js'
import type { FacilityManifest, PlanFile, StatusReport } from '#schemas/compiled/types.js'
import type { FacilityStatus, Status } from '../../../src/core/contracts/status.ts'
import type { Diagnostic } from '../../../src/core/model/diagnostic.ts'
import type { Reason } from '../../../src/core/plan/reason.ts'
import type { Change, FacilityPlan, Plan, PlanSummary, SavedPlan, Step } from '../../../src/core/plan/step.ts'
import type { Verb } from '../../../src/core/plan/verb.ts'
import { diagnosticCodes } from '../../../src/manifest/diagnostics/diagnostic-code.ts'
import { loadManifests } from '../../../src/manifest/manifest-source.ts'
import { readSchema, type SchemaName, type SchemaNode } from '../../../src/manifest/schema/schema-node.ts'
import { makeDirectory } from '../../tools/manifest-directory.ts'

const schemas: readonly SchemaName[] = ['facility', 'supervisor', 'host-configuration', 'plan', 'status']

describe.each(schemas)('the schema %s', name => {
  const nodes = [...walk(readSchema(name), name)]

  test('describes every field in one or two sentences', () => {
    const without = nodes.filter(({ node }) => !/^[A-Za-z].*\.$/s.test(node.description ?? '')).map(({ path }) => path)
    expect(without).toEqual([])
  })

  test('has only closed maps, unless open on purpose', () => {
    const open = nodes
      .filter(({ node }) => node.properties !== undefined && node.additionalProperties !== false)
      .map(({ path }) => path)
    expect(open).toEqual(name === 'supervisor' ? ['supervisor.spec'] : [])
  })

  test('mentions every default, of the right type', () => {
    const silent = nodes.filter(
      ({ node }) => node.default !== undefined && !(node.description ?? '').includes(`${node.default}`),
    )
    expect(silent.map(({ path }) => path)).toEqual([])
  })
})

test.each(['facility', 'host-configuration', 'plan', 'status', 'supervisor'])(
  'the validators of a %s have no dependencies: no ajv at run time',
  name => {
    for (const file of [`${name}.js`, `${name}.errors.cjs`]) {
      const code = readFileSync(new URL(`../../../schemas/compiled/${file}`, import.meta.url), 'utf8')
      expect(code).not.toMatch(/\brequire\(|^import /m)
    }
  },
)

test('the table in the README lists exactly the diagnostic codes', () => {
  const readme = readFileSync(new URL('../../../src/manifest/README.md', import.meta.url), 'utf8')
  const table = readme.slice(readme.indexOf('## Codes of diagnostics')).split('\n').slice(4)
  const named = table.flatMap(row => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, code]) => code))
  expect(named.toSorted()).toEqual([...diagnosticCodes])
})

test('the example of the specification is valid', () => {
  const directory = makeDirectory({ 'files/app.toml': '', 'example.yaml': example })
  const { diagnostics, facilities, supervisors } = loadManifests({ directory, types: ['systemd', 'runit'] })
  expect(diagnostics).toEqual([])
  expect(facilities.map(({ name }) => name)).toEqual(['db', 'web'])
  expect(supervisors.map(({ name }) => name)).toEqual(['app-runit'])
})

test('a plan of every kind is valid by its schema, and a changed one is not', () => {
  const step = { id: 'web/start', verb: 'start', reason: 'stopped', needs: [] } as const
  const plan: Plan = {
    formatVersion: 1,
    digest: '0'.repeat(64),
    facilities: [
      { name: 'web', supervisor: 'process', service: 'web', change: 'repair', steps: [step] },
      { name: 'db', supervisor: 'process', service: 'db', change: 'none', steps: [], blocked: 'it is not owned' },
    ],
    summary: { add: 0, change: 0, repair: 1, remove: 0, unchanged: 0, blocked: 1 },
    diagnostics: [],
  }
  expect(isPlanFile(plan)).toBe(true)
  expect(isPlanFile({ ...plan, formatVersion: 2 })).toBe(false)
  expect(isPlanFile({ ...plan, digest: 'x' })).toBe(false)
  expect(isPlanFile({ ...plan, extra: 1 })).toBe(false)
  expect(
    isPlanFile({ ...plan, facilities: [{ ...plan.facilities[0], steps: [{ ...step, reason: 'why-not' }] }] }),
  ).toBe(false)
})

test('the schemas agree with the code', () => {
  type PlannedFacility = PlanFile['facilities'][number]
  type PlannedStep = PlannedFacility['steps'][number]
  expectTypeOf<PlannedStep['verb']>().toEqualTypeOf<Verb>()
  expectTypeOf<PlannedStep['reason']>().toEqualTypeOf<Reason>()
  expectTypeOf<PlannedFacility['change']>().toEqualTypeOf<Change>()
  expectTypeOf<keyof PlannedStep>().toEqualTypeOf<keyof Step>()
  expectTypeOf<keyof PlannedFacility>().toEqualTypeOf<keyof FacilityPlan>()
  expectTypeOf<keyof PlanFile>().toEqualTypeOf<keyof SavedPlan>()
  expectTypeOf<keyof PlanFile['summary']>().toEqualTypeOf<keyof PlanSummary>()
  expectTypeOf<keyof PlanFile['diagnostics'][number]>().toEqualTypeOf<keyof Diagnostic>()
  expectTypeOf<PlanFile>().toExtend<SavedPlan>()

  type Reported = StatusReport['facilities'][number]
  expectTypeOf<keyof StatusReport>().toEqualTypeOf<keyof Status>()
  expectTypeOf<keyof Reported>().toEqualTypeOf<keyof FacilityStatus>()
  expectTypeOf<Reported['state']>().toEqualTypeOf<FacilityStatus['state']>()
  expectTypeOf<Reported['health']>().toEqualTypeOf<FacilityStatus['health']>()
  expectTypeOf<Reported['conditions'][number]['type']>().toEqualTypeOf<FacilityStatus['conditions'][number]['type']>()
  expectTypeOf<StatusReport>().toExtend<Status>()

  expectTypeOf<FacilityManifest['spec']['state']>().toEqualTypeOf<'running' | 'stopped' | 'unmanaged' | undefined>()
})

/** All fields of a schema, with their paths. */
function* walk(node: SchemaNode, path: string): Generator<{ node: SchemaNode; path: string }> {
  yield { node, path }
  for (const [key, child] of Object.entries(node.properties ?? {})) yield* walk(child, `${path}.${key}`)
  if (node.items !== undefined) yield* walk(node.items, `${path}[]`)
}

const example = `apiVersion: reeve/v1
kind: Facility
metadata:
  name: web
  labels: { tier: front }
spec:
  supervisor: systemd            # a Supervisor's name, or a provider's default instance; default: process
  serviceName: web               # default: metadata.name
  state: running                 # running (default) | stopped | unmanaged
  enabled: true                  # starts at boot: true (default) | false | unmanaged
  process:                       # portable: every provider renders it, or refuses by name what it can't do
    command: [/usr/bin/node, server.js]   # argv; never passed through a shell
    workingDirectory: /srv/web
    user: web
    group: web
    umask: "0022"
    environment:
      PORT: "8080"
      TOKEN: { fromFile: /etc/web/token }  # a secret: read at start, never shown, never in a definition
    environmentFiles: [/etc/web/env]
    limits: { nofile: 65536 }
    restart: { policy: always, delay: 1s }  # always (default) | on-failure | never
    stop: { signal: TERM, timeout: 10s }    # then KILL, the whole process group
    reload: { signal: HUP }                 # or { command: [...] }; absent: a reload is a restart
    output: { file: /var/log/web.log }      # default: the supervisor's own logging
  config:                        # per supervisor type: options laid over the rendered definition …
    systemd: { unit: { Service: { MemoryMax: 512M } } }
    runit: { run: "#!/bin/sh\\nexec …\\n", logRun: "…" }   # … or the definition itself, as native text
  files:                         # configuration files of the facility
    - path: /etc/web/app.toml
      source: ./files/app.toml   # relative to the manifest
      owner: root
      group: web
      mode: "0640"
      onChange: reload           # restart (default) | reload | none
  onChange: restart              # when the definition changes: restart (default) | reload | none
  dependsOn: [db]
  health:
    http: { url: "http://127.0.0.1:8080/healthz" }   # or tcp: {port}, exec: {command: [...]}
    interval: 10s
    timeout: 2s
    failureThreshold: 3
    startupTimeout: 60s
    onFailure: restart           # restart | report (default)
  adopt: false                   # take over an existing service of that name that Reeve doesn't own
  prune: true                    # false: leave the service alone when the manifest goes
  suspend: false                 # true: observe and report, change nothing
---
apiVersion: reeve/v1
kind: Supervisor
metadata: { name: app-runit }
spec:
  type: runit
  runit: { serviceDirectory: /home/app/service, definitionDirectory: /home/app/sv }
---
apiVersion: reeve/v1
kind: Facility
metadata: { name: db }
spec: { supervisor: app-runit }
`
