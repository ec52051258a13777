import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isAlive } from '../../../src/conformance/lab.ts'
import { createDirectControl } from '../../../src/engine/control/direct-control.ts'
import { applyOnce } from '../../../src/engine/execution/apply.ts'
import { openSession, type Session } from '../../../src/engine/session/session.ts'
import { templateModule } from '../../labs/outside-lab.ts'

const signal = new AbortController().signal
let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'reeve-outside-'))
  mkdirSync(join(root, 'manifests'))
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

function open(providers: readonly string[]): Promise<Session> {
  const config = join(root, 'reeve.yaml')
  const lines = ['apiVersion: reeve/v1', 'kind: HostConfiguration', `providers: ${JSON.stringify(providers)}`]
  writeFileSync(config, lines.join('\n'))
  return openSession({
    config,
    directory: join(root, 'manifests'),
    stateDir: join(root, 'state'),
    insecurePermissions: true,
  })
}

test('an outside provider from the host configuration runs a facility from start to removal', async () => {
  const session = await open([templateModule])
  const documents = [
    {
      apiVersion: 'reeve/v1',
      kind: 'Supervisor',
      metadata: { name: 'mine' },
      spec: { type: 'pidfile', pidfile: { directory: join(root, 'run') } },
    },
    {
      apiVersion: 'reeve/v1',
      kind: 'Facility',
      metadata: { name: 'web' },
      spec: { supervisor: 'mine', process: { command: ['sleep', '1000000'] } },
    },
  ]
  mkdirSync(join(root, 'run'))
  const manifest = join(root, 'manifests/all.yaml')
  writeFileSync(manifest, documents.map(document => JSON.stringify(document)).join('\n---\n'))
  const first = await applyOnce(session, { signal, listener() {} })
  expect(first.plan.facilities[0]?.steps.map(step => step.verb)).toEqual(['install', 'enable', 'start'])
  expect(first.failed).toEqual([])
  const { facilities } = await createDirectControl(session).status('web')
  const pid = facilities[0]?.pid
  assert.ok(pid && isAlive(pid))
  expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]).toBe('sleep')

  const second = await applyOnce(session, { signal, listener() {} })
  expect(second.plan.summary).toMatchObject({ unchanged: 1 })

  unlinkSync(manifest)
  const last = await applyOnce(session, { signal, listener() {} })
  expect(last.plan.summary).toMatchObject({ remove: 1 })
  expect(isAlive(pid)).toBe(false)
})

test('a field that an outside provider cannot honour is an error that names field, facility and provider', async () => {
  const session = await open([templateModule])
  const spec = { supervisor: 'pidfile', process: { command: ['sleep', '1'], limits: { nofile: 64 } } }
  const document = { apiVersion: 'reeve/v1', kind: 'Facility', metadata: { name: 'web' }, spec }
  writeFileSync(join(root, 'manifests/web.json'), JSON.stringify(document))
  const { plan } = await applyOnce(session, { signal, listener() {} })
  expect(plan.facilities[0]?.blocked).toContain(
    "supervisor pidfile can't honour spec.process.limits of facility web: provider pidfile has no such thing",
  )
})

test('a module that is no provider is refused, with what was expected', async () => {
  writeFileSync(join(root, 'broken.mjs'), 'export default { type: "x" }\n')
  await expect(open([join(root, 'broken.mjs')])).rejects.toThrow(/expected its default export to be a Provider/)
  for (const [source, shortcoming] of [
    [`{ type: 'x', capabilities: { process: [] }, openObserver() {} }`, 'it has no function render'],
    [`{ type: 'x', capabilities: {}, render() {} }`, 'its capabilities.process is nothing'],
    ['async () => ({})', 'found a promise'],
    ['() => { throw new Error("no licence") }', 'could not be loaded: no licence'],
  ] as const) {
    const name = `${shortcoming.replaceAll(' ', '-')}.mjs`
    writeFileSync(join(root, name), `export default ${source}\n`)
    await expect(open([join(root, name)])).rejects.toThrow(shortcoming)
  }
  await expect(open([join(root, 'missing.mjs')])).rejects.toThrow(/could not be loaded/)
})
