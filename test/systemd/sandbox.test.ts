import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Spec, stepsOf } from '../labs/engine-lab.ts'
import { createSystemdLab, property, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'

type Section = Readonly<Record<string, string | boolean | readonly string[]>>

/** Directory with only the program and its libraries, without a shell. */
const root = '/srv/root'
const command = ['/bin/sleep', '1000000']

/** Sandboxing options under which a service has no shell, or no access to its own files. */
const sandboxes: Readonly<Record<string, Section>> = {
  RootDirectory: {
    RootDirectory: root,
    MountAPIVFS: true,
    BindReadOnlyPaths: ['/bin/sleep', '/lib', '/lib64', '/usr/lib'],
  },
  NoExecPaths: { NoExecPaths: '/', ExecPaths: ['/bin/sleep', '/usr/bin/sleep', '/usr/lib', '/lib', '/lib64'] },
  ProtectSystem: { ProtectSystem: 'strict', ProtectHome: true, PrivateTmp: true, PrivateDevices: true },
  DynamicUser: { DynamicUser: true, NoNewPrivileges: true, RestrictNamespaces: true },
  SystemCallFilter: { SystemCallFilter: ['@system-service', '~clone clone3 fork vfork pipe pipe2'] },
  TemporaryFileSystem: { TemporaryFileSystem: ['/etc', '/srv', '/run'] },
  InaccessiblePaths: {
    InaccessiblePaths: ['/etc/reeve-box.conf', '-/bin/sh', '-/usr/bin/sh', '-/usr/bin/dash', '-/usr/bin/sha256sum'],
  },
  PrivateUsers: { PrivateUsers: true, CapabilityBoundingSet: '' },
  ExecStartPre: { ExecStartPre: '/bin/true', RuntimeDirectory: 'box box/inner' },
}

describe.skipIf(process.env.REEVE_MACHINE === undefined)('a sandboxed service', { timeout: 120_000 }, () => {
  beforeAll(() => {
    mkdirSync(`${root}/bin`, { recursive: true })
  })

  const path = '/etc/reeve-box.conf'
  beforeEach(() => rmSync(path, { force: true }))

  /** Applies, changes its file, and returns the process and the plans. */
  async function expectKept(lab: SystemdLab, declare: (content: string) => void, unit = 'box'): Promise<void> {
    declare('one\n')
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    const run = property(unit, 'InvocationID')
    expect(stepsOf(await lab.plan())).toEqual([])
    // Content counts, not times (E12).
    writeFileSync(path, 'one\n')
    expect(stepsOf(await lab.plan())).toEqual([])
    declare('two\n')
    expect(stepsOf(await lab.plan())).toEqual([`box/write-file:${path}`, 'box/restart'])
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect(property(unit, 'InvocationID')).not.toBe(run)
    expect(stepsOf(await lab.plan())).toEqual([])
  }

  for (const [name, keys] of Object.entries(sandboxes)) {
    test(`PITFALLS 26: ${name}: has files that Reeve knows it to have read`, async () => {
      await using lab = await createSystemdLab()
      const files = (content: string): Spec[] => [{ path, content, mode: '0600' }]
      await expectKept(lab, content =>
        lab.declareUnit('box', {
          process: { command },
          config: { systemd: { unit: { Service: keys } } },
          files: files(content),
        }),
      )
      // For a start without Reeve, the age of the files decides.
      systemctl('restart', 'box')
      expect(stepsOf(await lab.plan())).toEqual([])
    })
  }

  const shutIn = `RootDirectory=${root}\nMountAPIVFS=yes\nBindReadOnlyPaths=/bin/sleep /lib /lib64 /usr/lib\n`
  const natives = {
    simple: `[Service]\n${shutIn}ExecStart=/bin/sleep 1000000\n`,
    oneshot: `[Service]\nType=oneshot\nRemainAfterExit=yes\n${shutIn}ExecStart=/bin/sleep 0\n`,
    forking: `[Service]\nType=forking\nProtectSystem=strict\nNoExecPaths=/bin/sh\nExecStart=/sbin/start-stop-daemon --start --background --exec /bin/sleep -- 1000000\n`,
  }
  for (const [name, text] of Object.entries(natives)) {
    test(`PITFALLS 26: with its own unit, ${name}, has files`, async () => {
      await using lab = await createSystemdLab()
      const declare = (content: string): void =>
        lab.declareUnit('box', {
          enabled: 'unmanaged',
          config: { systemd: { text } },
          files: [{ path, content }],
        })
      await expectKept(lab, declare, 'box')
    })
  }

  test('PITFALLS 26: as an instance of a packaged template has files', async () => {
    await using lab = await createSystemdLab()
    lab.place('box@.service', natives.simple, '/lib/systemd/system')
    const declare = (content: string): void =>
      lab.declareUnit('box', { serviceName: 'box@1', enabled: 'unmanaged', files: [{ path, content }] })
    await expectKept(lab, declare, 'box@1')
    systemctl('stop', 'box@1')
    rmSync('/lib/systemd/system/box@.service')
  })

  test('PITFALLS 26: that reloads by a signal gets it from outside', async () => {
    await using lab = await createSystemdLab()
    const declare = (content: string): void =>
      lab.declareUnit('box', {
        process: { command: ['/bin/sleep', '1000000'], reload: { signal: 'URG' } },
        config: { systemd: { unit: { Service: sandboxes.RootDirectory } } },
        files: [{ path, content, onChange: 'reload' }],
      })
    declare('one\n')
    await lab.apply()
    const pid = property('box', 'MainPID')
    declare('two\n')
    expect(stepsOf(await lab.plan())).toEqual([`box/write-file:${path}`, 'box/reload'])
    expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
    expect([property('box', 'MainPID'), stepsOf(await lab.plan())]).toEqual([pid, []])
  })
})
