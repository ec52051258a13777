import { spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { reevePath } from '../labs/cli-fixture.ts'
import { facilityManifest } from '../labs/engine-lab.ts'

const uid = 2_000
const home = '/home/app'
const runtime = `/run/user/${uid}`

/** Runs as that user, without a login. */
function asUser(...command: string[]): {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
} {
  const identity = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups']
  const env = { HOME: home, PATH: '/usr/bin:/bin', XDG_RUNTIME_DIR: runtime, LANG: 'C.UTF-8' }
  return spawnSync('setpriv', [...identity, ...command], { cwd: home, env, encoding: 'utf8' })
}

function reeve(...args: string[]): string {
  const { status, stdout, stderr } = asUser(process.execPath, reevePath, ...args, '--config', join(home, 'reeve.yaml'))
  expect([status, stderr]).toEqual([0, expect.any(String)])
  return stdout
}

function root(...[program = '', ...args]: string[]): void {
  expect([program, spawnSync(program, args).status]).toEqual([program, 0])
}

describe.skipIf(process.env.REEVE_MACHINE === undefined)('a user with linger and a bus', () => {
  test('runs services without a login, by the session bus alone, which come back with a boot', async () => {
    root('useradd', '--uid', String(uid), '--create-home', '--home-dir', home, 'app')
    root('loginctl', 'enable-linger', 'app')
    await eventually('its bus', () => asUser('systemctl', '--user', 'is-active', 'dbus.socket').status === 0)
    mkdirSync(join(home, 'manifests'))
    writeFileSync(
      join(home, 'reeve.yaml'),
      'apiVersion: reeve/v1\nkind: HostConfiguration\nmanifests: /home/app/manifests\n',
    )
    const user = { apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'mine' } }
    const supervisor = { ...user, spec: { type: 'systemd', systemd: { scope: 'user' } } }
    writeFileSync(join(home, 'manifests/mine.yaml'), JSON.stringify(supervisor))
    const spec = { supervisor: 'mine', process: { command: ['/bin/sleep', '1000000'] } }
    writeFileSync(join(home, 'manifests/web.yaml'), facilityManifest('web', spec))
    chownSync(join(home, 'manifests'), uid, uid)

    renameSync(`${runtime}/systemd/private`, `${runtime}/systemd/away`)
    reeve('apply')
    expect(reeve('plan')).toContain('No changes.')
    renameSync(`${runtime}/systemd/away`, `${runtime}/systemd/private`)
    const pidOf = (): string =>
      asUser('systemctl', '--user', 'show', '--value', '--property=MainPID', 'web').stdout.trim()
    const before = pidOf()
    expect(Number(before)).toBeGreaterThan(1)

    // To its manager, that is a boot: everything ends, and nobody else starts what is enabled.
    root('systemctl', 'restart', `user@${uid}.service`)
    await eventually('it to run again', () => Number(pidOf()) > 1 && pidOf() !== before)
    expect(reeve('plan')).toContain('No changes.')
    reeve('down', '--yes')
    expect(asUser('systemctl', '--user', 'is-enabled', 'web').stdout.trim()).not.toBe('enabled')
  })
})
