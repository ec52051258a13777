import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { eventually } from '../../../src/conformance/eventually.ts'
import type { Effect } from '../../../src/host/effects.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import { createServiceManager, type ServiceManager } from '../../../src/server/service-manager.ts'
import { createManualClock } from '../../tools/manual-clock.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reeve-notify-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const hasNotify = spawnSync('systemd-notify', ['--version']).status === 0
const clock = createManualClock()

interface Fixture {
  readonly manager: ServiceManager
  readonly warnings: string[]
  readonly effects: Effect[]
}

function create(environment: Readonly<Record<string, string>>): Fixture {
  const warnings: string[] = []
  const effects: Effect[] = []
  const host = createWriteHost({ onEffect: (effect, phase) => phase === 'before' && effects.push(effect) })
  const warn = (message: string): void => void warnings.push(message)
  return { manager: createServiceManager({ environment, host, clock, warn, pid: process.pid }), warnings, effects }
}

/** Replacement of `systemd-notify`: writes its arguments, one call a line. */
function replaceProgram(script: string): void {
  const program = join(directory, 'systemd-notify')
  writeFileSync(program, `#!/bin/sh\n${script}\n`)
  chmodSync(program, 0o755)
  vi.stubEnv('PATH', `${directory}:${process.env.PATH}`)
  onTestFinished(() => void vi.unstubAllEnvs())
}

/** Node has no datagram unix sockets; perl is on every Debian. */
const receiver = `
use Socket; $| = 1;
socket(S, PF_UNIX, SOCK_DGRAM, 0) or die; bind(S, sockaddr_un($ARGV[0])) or die; print "listening\\n";
while (defined recv(S, $_, 65536, 0)) { s/\\n/ /g; print "$_\\n" }
`

async function receive(socket: string): Promise<string[]> {
  const child = spawn('perl', ['-e', receiver, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })
  await once(lines, 'line')
  const received: string[] = []
  // The message by which systemd-notify waits until the rest has been read has no text.
  lines.on('line', line => line.trim() !== '' && !line.startsWith('BARRIER') && received.push(line.trim()))
  return received
}

test.runIf(hasNotify)(
  'the service manager is notified of readiness, status, watchdog and stopping, over a real socket',
  async () => {
    const socket = join(directory, 'notify')
    const received = await receive(socket)
    const { manager, warnings } = create({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '20000000' })
    await manager.tellReady('3 facilities\n1 blocked')
    using _watchdog = manager.startWatchdog(() => true)
    await eventually('two messages', () => received.length === 2)
    await manager.tellStatus('reconciling')
    await manager.tellStopping()
    await eventually('four messages', () => received.length === 4)
    expect(received).toEqual([
      expect.stringMatching(/READY=1.*STATUS=3 facilities 1 blocked/),
      expect.stringMatching(/WATCHDOG=1/),
      expect.stringMatching(/STATUS=reconciling/),
      expect.stringMatching(/STOPPING=1/),
    ])
    for (const line of received) expect(line).toContain(`MAINPID=${process.pid}`)
    expect(warnings).toEqual([])
  },
)

test('the watchdog is notified at half its interval, while the controller is alive', async () => {
  const log = join(directory, 'log')
  replaceProgram(`echo "$NOTIFY_SOCKET $*" >> ${log}`)
  const { manager, effects } = create({
    NOTIFY_SOCKET: '/run/x',
    WATCHDOG_USEC: '10000000',
    WATCHDOG_PID: `${process.pid}`,
  })
  let alive = true
  const watchdog = manager.startWatchdog(() => alive)
  const beats = (): number => effects.length
  expect(beats()).toBe(1)
  await clock.advance(4_999)
  expect(beats()).toBe(1)
  await clock.advance(1)
  expect(beats()).toBe(2)
  alive = false
  await clock.advance(20_000)
  expect(beats()).toBe(2)
  alive = true
  await clock.advance(5_000)
  expect(beats()).toBe(3)
  watchdog[Symbol.dispose]()
  await clock.advance(60_000)
  expect(beats()).toBe(3)
  const host = createWriteHost()
  await eventually('three lines of it', () => host.readText(log)?.split('\n').length === 4)
  expect(host.readText(log)).toBe(`/run/x --pid=${process.pid} WATCHDOG=1\n`.repeat(3))
})

test.each([
  ['it was not requested', {}],
  ['it is meant for another process', { WATCHDOG_USEC: '10000000', WATCHDOG_PID: '1' }],
  ['the interval is no number', { WATCHDOG_USEC: 'often' }],
])('there is no watchdog if %s', async (_what, variables) => {
  const { manager, effects } = create({ NOTIFY_SOCKET: '/run/x', ...variables })
  using _watchdog = manager.startWatchdog(() => true)
  await clock.advance(60_000)
  expect(effects).toEqual([])
})

test('without a service manager nothing is run', async () => {
  const { manager, effects, warnings } = create({ WATCHDOG_USEC: '10000000' })
  using _watchdog = manager.startWatchdog(() => true)
  await manager.tellReady('x')
  await manager.tellStopping()
  expect([effects, warnings]).toEqual([[], []])
})

test('if systemd-notify is missing or fails, one warning is logged, and the controller continues', async () => {
  const missing = create({ NOTIFY_SOCKET: '/run/x' })
  vi.stubEnv('PATH', directory)
  await missing.manager.tellReady('x')
  await missing.manager.tellStopping()
  vi.unstubAllEnvs()
  expect(missing.warnings).toEqual([expect.stringMatching(/can't be told .* there is no program systemd-notify/)])

  replaceProgram('echo "no such socket" >&2; exit 1')
  const failing = create({ NOTIFY_SOCKET: '/run/x' })
  await failing.manager.tellStatus('x')
  await failing.manager.tellStatus('y')
  expect(failing.warnings).toEqual([expect.stringMatching(/no such socket$/)])
})
