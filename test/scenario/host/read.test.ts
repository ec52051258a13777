import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { createReadHost } from '../../../src/host/read-host.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reeve-read-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const host = createReadHost({ queries: [['echo', 'one'], ['false']] })

test('E2: the handle for observing has, at run time too, only the methods of ReadHost', () => {
  expect(Object.getPrototypeOf(host)).toBe(Object.prototype)
  expect(Object.isFrozen(host)).toBe(true)
  expect(Reflect.ownKeys(host).sort()).toEqual([
    'bootId',
    'facts',
    'findGroup',
    'findGroupsOf',
    'findUnsafePart',
    'findUser',
    'findUserById',
    'groupId',
    'inspectFile',
    'isGranted',
    'mountPoints',
    'now',
    'openBus',
    'process',
    'processes',
    'query',
    'querySocket',
    'readDirectory',
    'readFile',
    'readLink',
    'readPart',
    'readProtectedFile',
    'readText',
    'realPath',
    'userId',
    'watch',
  ])
})

test('E2: the handle for acting adds exactly the methods that write', () => {
  const added = Object.keys(createWriteHost()).filter(name => !Object.hasOwn(host, name))
  expect(added.sort()).toEqual([
    'appendFile',
    'kill',
    'makeDirectory',
    'makeLink',
    'moveFile',
    'removeDirectory',
    'removeFile',
    'removeFileAs',
    'request',
    'requestSocket',
    'reuseFiles',
    'run',
    'runContained',
    'spawn',
    'writeFile',
    'writeFileAs',
    'writeFiles',
    'writePipe',
  ])
})

test('E2: observing may run the declared queries and no others', async () => {
  expect(await host.query(['echo', 'one', 'two'])).toEqual({ exitCode: 0, stdout: 'one two\n', stderr: '' })
  expect(await host.query(['false'])).toMatchObject({ exitCode: 1 })
  await expect(host.query(['echo', 'two'])).rejects.toMatchObject({ code: 'internal' })
  await expect(host.query(['echo'])).rejects.toThrow(
    /declares in capabilities.queries \(echo one, false\), found: echo/,
  )
  await expect(host.query(['rm', '-r', directory])).rejects.toMatchObject({ code: 'internal' })
  await expect(createReadHost().query(['true'])).rejects.toThrow(/\(none\)/)
})

test('a missing path is undefined, below a file too', () => {
  writeFileSync(join(directory, 'file'), 'text')
  for (const path of [join(directory, 'gone'), join(directory, 'gone', 'x'), join(directory, 'file', 'x')]) {
    expect(host.readFile(path)).toBeUndefined()
    expect(host.readText(path)).toBeUndefined()
    expect(host.readDirectory(path)).toBeUndefined()
    expect(host.facts(path)).toBeUndefined()
    expect(host.readLink(path)).toBeUndefined()
    expect(host.realPath(path)).toBeUndefined()
  }
})

test('a file is read completely, even if the kernel reports no size, up to the limit', () => {
  const path = join(directory, 'file')
  writeFileSync(path, 'x'.repeat(10_000))
  expect(host.readFile(path)).toHaveLength(10_000)
  expect(host.readFile(path, 10_000)).toHaveLength(10_000)
  expect(() => host.readFile(path, 9_999)).toThrow(`cannot read ${path}: expected at most 9999 bytes, found 10000`)
  expect(host.readText('/proc/self/status')).toContain(`Pid:\t${process.pid}`)
  expect(() => host.readFile('/dev/zero', 100)).toThrow(/expected a file, found a device/)
})

test('S6: a pipe, a directory or a device in place of a file is an error, without waiting', () => {
  const pipe = join(directory, 'pipe')
  execFileSync('mkfifo', [pipe])
  expect(() => host.readFile(pipe)).toThrow(`cannot read ${pipe}: expected a file, found a named pipe`)
  expect(() => host.readFile(directory)).toThrow(/found a directory/)
})

test("facts are those of the path itself, not of a symlink's target", () => {
  const file = join(directory, 'file')
  const link = join(directory, 'link')
  writeFileSync(file, 'text', { mode: 0o640 })
  symlinkSync('file', link)
  mkdirSync(join(directory, 'sub'))
  expect(host.facts(file)).toMatchObject({ kind: 'file', mode: 0o640, size: 4, uid: process.getuid?.() })
  expect(host.facts(link)).toMatchObject({ kind: 'symlink' })
  expect(host.facts('/dev/null')).toMatchObject({ kind: 'other' })
  expect(host.readLink(link)).toBe('file')
  expect(host.readLink(file)).toBeUndefined()
  expect(host.realPath(link)).toBe(file)
  expect(host.readDirectory(directory)).toEqual(['file', 'link', 'sub'])
})

test('a process named like a line of /proc/PID/stat is read correctly', async () => {
  const program = join(directory, 'a) R 1 (b')
  execFileSync('cp', ['/bin/cat', program])
  const child = spawn(program, ['/proc/self/stat', '-'], { stdio: ['pipe', 'pipe', 'ignore'] })
  try {
    const [line] = await once(child.stdout, 'data')
    expect(String(line)).toContain('(a) R 1 (b)')
    expect(host.process(child.pid ?? 0)).toMatchObject({ pid: child.pid, parent: process.pid })
    expect(host.processes()).toContain(child.pid)
  } finally {
    child.stdin.end()
    await once(child, 'close')
  }
  expect(host.process(child.pid ?? 0)).toBeUndefined()
})

test('the boot id stays the same while the host is up', () => {
  expect(host.bootId()).toMatch(/^[0-9a-f-]{36}(:\d+)?$/)
  expect(createReadHost().bootId()).toBe(host.bootId())
})

test('a user known only to the name service is found by getent, which is run once', () => {
  const log = join(directory, 'log')
  const program = join(directory, 'getent')
  const script = `echo "$@" >> ${log}; [ "$1" = passwd ] && echo "$2:x:7001:7002::/home/$2:/bin/zsh" || echo "$2:x:7003:"`
  writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  vi.stubEnv('PATH', `${directory}:${process.env.PATH}`)
  onTestFinished(() => void vi.unstubAllEnvs())
  const fresh = createReadHost()
  for (let times = 0; times < 3; times += 1) {
    expect(fresh.findUser('ldap-user')).toEqual({ uid: 7001, gid: 7002, home: '/home/ldap-user', shell: '/bin/zsh' })
    expect(fresh.findGroup('ldap-group')).toBe(7003)
    expect(fresh.findUser('root')?.uid).toBe(0)
  }
  expect(host.readText(log)).toBe('passwd ldap-user\ngroup ldap-group\n')
})
