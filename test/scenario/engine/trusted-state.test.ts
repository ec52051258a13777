import { spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readHistory } from '../../../src/engine/session/history.ts'
import { openSession } from '../../../src/engine/session/session.ts'
import { readRecord, readSuspended } from '../../../src/engine/session/state-files.ts'
import { findWriter, takeWriterLock } from '../../../src/engine/session/writer-lock.ts'
import { createClock } from '../../../src/host/clock.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { connectControl } from '../../../src/server/control-client.ts'
import { openCliFixture } from '../../labs/cli-fixture.ts'
import { createEngineLab, facilityManifest, longRun, stepsOf } from '../../labs/engine-lab.ts'

const stranger = 12345
const command = '["/bin/sleep","1000000"]'

function makeHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'reeve-state-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  mkdirSync(join(home, 'manifests'))
  mkdirSync(join(home, 'state'), { mode: 0o700 })
  return home
}

const open = (home: string, insecurePermissions = false) =>
  openSession({ directory: join(home, 'manifests'), stateDir: join(home, 'state'), insecurePermissions, env: {} })

describe.runIf(process.geteuid?.() === 0)('S1: state that others could have written is not trusted:', () => {
  test.each<[string, (state: string) => void]>([
    ['of another user', state => chownSync(state, stranger, 0)],
    ['that is world-writable', state => chmodSync(state, 0o777)],
    ['that is world-writable and sticky', state => chmodSync(state, 0o1777)],
    ['that is group-writable', state => chmodSync(state, 0o770)],
    ['below a directory of another user', state => chownSync(join(state, '..'), stranger, 0)],
    [
      'behind a link of another user',
      state => {
        renameSync(state, `${state}-real`)
        symlinkSync(`${state}-real`, state)
        spawnSync('chown', ['-h', String(stranger), state])
      },
    ],
  ])('a state directory %s is refused', async (_, spoil) => {
    const home = makeHome()
    await expect(open(home)).resolves.toBeDefined()
    spoil(join(home, 'state'))
    await expect(open(home)).rejects.toMatchObject({
      code: 'insecure',
      message: expect.stringMatching(
        /^the state directory .* can't be trusted, .*(chown|chmod) .*--insecure-permissions.*--state-dir$/,
      ),
    })
    await expect(open(home, true)).resolves.toBeDefined()
  })

  test('a runtime directory that others can write, or created since, is refused', async () => {
    const home = makeHome()
    const config = join(home, 'reeve.yaml')
    mkdirSync(join(home, 'run'))
    writeFileSync(
      config,
      `apiVersion: reeve/v1\nkind: HostConfiguration\nstateDirectory: ${home}/state\nruntimeDirectory: ${home}/run\n`,
    )
    const session = await openSession({ config, directory: join(home, 'manifests'), env: {} })
    chownSync(join(home, 'run'), stranger, 0)
    await expect(openSession({ config, directory: home, env: {} })).rejects.toThrow(
      /^the runtime directory .*run can't be/,
    )
    await expect(takeWriterLock(session, 'reeve apply')).rejects.toThrow(/^the runtime directory/)
  })

  test.each<[string, (path: string) => void]>([
    ['of another user', path => chownSync(path, stranger, 0)],
    ['that is world-writable', path => chmodSync(path, 0o666)],
    [
      'that is a link',
      path => {
        renameSync(path, `${path}.real`)
        symlinkSync(`${path}.real`, path)
      },
    ],
  ])('a file in it %s is refused', async (_, spoil) => {
    const home = makeHome()
    const state = join(home, 'state')
    const host = createReadHost()
    const files = { 'record.json': '{}', 'suspended.json': '["web"]', 'history.jsonl': '' }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(state, name), text)
    expect(readSuspended(state, host)).toEqual(new Set(['web']))
    for (const name of Object.keys(files)) spoil(join(state, name))
    for (const read of [readRecord, readSuspended, readHistory]) {
      expect(() => read(state, host)).toThrow(/^cannot believe .*state\/(record|suspended|history)\.json/)
    }
    using _lock = await takeWriterLock(await open(home), 'reeve apply')
    const [claim = ''] = readdirSync(join(state, 'lock'))
    spoil(join(state, 'lock', claim))
    const session = await open(home)
    expect(() => findWriter(session)).toThrow(/^cannot believe .*lock/)
  })

  test('a forged parse cache runs nothing', async () => {
    await using lab = createEngineLab()
    const good = facilityManifest('web', { process: longRun() })
    lab.write('web.yaml', good)
    const forged = JSON.parse(good)
    forged.spec.process.command = ['/bin/sh', '-c', `touch ${lab.path('canary')}; exec sleep 1000000`]
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
    const digest = hash('sha256', good, 'base64')
    mkdirSync(lab.stateDirectory, { mode: 0o700 })
    const cache = join(lab.stateDirectory, 'parsed.json')
    const document = [forged, { offset: good.indexOf('"web"') }]
    writeFileSync(cache, JSON.stringify({ version, texts: { [digest]: [document] } }))
    // Root's own cache is used, which shows that the forgery would work.
    const { targets } = (await (await import('../../../src/engine/refresh/plan-run.ts')).makePlanRun(await lab.open()))
      .refresh
    expect(targets[0]?.facility.process?.command[0]).toBe('/bin/sh')
    chownSync(cache, stranger, 0)
    expect(stepsOf(await lab.plan())).toContain('web/start')
    await lab.apply()
    expect((await lab.observe('web')).state).toBe('running')
    expect(existsSync(lab.path('canary'))).toBe(false)
  })

  test.each([['definitions'], ['state'], ['runs'], ['enabled'], ['lock'], ['.']])(
    'the directory %s of the built-in supervisor is refused where others can write it',
    async name => {
      await using lab = createEngineLab()
      lab.declare('web', { process: longRun() })
      await lab.apply()
      chmodSync(join(lab.supervisorDirectory, name), 0o777)
      const [facility] = (await lab.plan()).facilities
      expect(facility?.blocked).toMatch(
        /supervisor lab is unavailable: (others can write to .*supervisor|.*supervisor \(owner 0, group 0, mode 0777\) can be written by everybody)/,
      )
      chmodSync(join(lab.supervisorDirectory, name), 0o700)
    },
  )
})

describe.runIf(process.geteuid?.() === 0)('S1: a saved plan', () => {
  test.each<[string, (path: string) => void]>([
    ['of another user', path => chownSync(path, stranger, 0)],
    ['that is world-writable', path => chmodSync(path, 0o666)],
  ])('%s is not applied', async (_, spoil) => {
    const house = openCliFixture({ 'web.yaml': facilityManifest('web', { process: { command: JSON.parse(command) } }) })
    await house.reeve(['plan', '--out', 'plan.json'])
    expect(statSync(house.path('plan.json')).mode & 0o777).toBe(0o600)
    spoil(house.path('plan.json'))
    const refused = await house.reeve(['apply', '--plan', 'plan.json'])
    expect(refused.exitCode).toBe(1)
    expect(refused.stderr).toMatch(/the saved plan .*plan\.json can't be trusted: /)
    expect(refused.stdout).toBe('')
  })
})

describe.runIf(process.geteuid?.() === 0)('S1: the answer of a control socket', () => {
  test.each<[string, (directory: string) => void]>([
    ['a directory of another user', directory => chownSync(directory, stranger, 0)],
    ['a world-writable directory', directory => chmodSync(directory, 0o777)],
  ])('is not trusted in %s', async (_, spoil) => {
    const home = makeHome()
    const control = join(home, 'control')
    const socket = join(control, 'control.sock')
    mkdirSync(control, { mode: 0o700 })
    let asked = 0
    const server = createServer((_request, response) => {
      asked += 1
      response.end('{"pid":1,"facilities":[]}')
    })
    await new Promise<void>(resolve => server.listen(socket, resolve))
    onTestFinished(() => void server.close())
    await expect((await connectControl(socket, createClock()))?.status()).resolves.toMatchObject({ facilities: [] })
    const before = asked
    spoil(control)
    await expect(connectControl(socket, createClock())).rejects.toMatchObject({
      code: 'insecure',
      message: expect.stringMatching(/control \(owner/),
    })
    expect(asked).toBe(before)
  })
})
