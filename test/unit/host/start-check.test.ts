import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { StartNeeds } from '../../../src/core/model/start-needs.ts'
import { findElfLoader } from '../../../src/host/elf-loader.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { findStartProblems } from '../../../src/host/start-check.ts'

const isRoot = process.geteuid?.() === 0
const nothing: StartNeeds = { secrets: [], environmentFiles: [] }
let base = ''
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'reeve-start-'))
  chmodSync(base, 0o755)
})
afterEach(() => rmSync(base, { recursive: true }))

function problemsOf(needs: Partial<StartNeeds>, host: ReadHost = createReadHost()): string {
  return findStartProblems({ ...nothing, ...needs }, host).join('; ')
}

function put(name: string, content: string | Uint8Array, mode = 0o755): string {
  const path = join(base, name)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

describe('a program', () => {
  test.each([
    ['with a path', '/bin/sh'],
    ['by name', 'sh'],
    ['that is the Node running this test', process.execPath],
  ])('%s is found', (_, program) => {
    expect(problemsOf({ program })).toBe('')
  })

  test('is searched in PATH, and from the working directory', () => {
    put('tool', '#!/bin/sh\n')
    expect(problemsOf({ program: 'tool' })).toContain('there is no program tool in ')
    expect(problemsOf({ program: 'tool', searchPath: ['/nowhere', base] })).toBe('')
    expect(problemsOf({ program: './tool', workingDirectory: base })).toBe('')
    expect(problemsOf({ program: './tool' })).toContain('there is no program /tool')
    const environmentFiles = [put('env', `PATH=${base}\n`)]
    expect(problemsOf({ program: 'tool', environmentFiles })).toBe('')
    // Secrets are not read.
    expect(problemsOf({ program: 'nowhere', secrets: [{ variable: 'PATH', path: put('secret', 'x') }] })).toBe('')
  })

  test('that is not executable is reported, unless a later one in PATH is', () => {
    const first = join(base, 'first')
    mkdirSync(first)
    put('first/tool', '#!/bin/sh\n', 0o644)
    expect(problemsOf({ program: 'tool', searchPath: [first] })).toContain('is not executable')
    put('tool', '#!/bin/sh\n')
    expect(problemsOf({ program: 'tool', searchPath: [first, base] })).toBe('')
  })

  test('is followed through symlinks, and a broken link is reported', () => {
    symlinkSync('/bin/sh', join(base, 'good'))
    symlinkSync('/nowhere', join(base, 'bad'))
    expect(problemsOf({ program: join(base, 'good') })).toBe('')
    expect(problemsOf({ program: join(base, 'bad') })).toContain('it is a symlink to /nowhere, which does not exist')
  })

  test.each([
    ['#!/nowhere/sh -e', 'there is no program /nowhere/sh'],
    ['#! /nowhere/sh', 'there is no program /nowhere/sh'],
    ['#!/usr/bin/env nowhere', 'there is no program nowhere in'],
    ['#!/usr/bin/env -S nowhere --flag', 'there is no program nowhere in'],
    ['#!/bin/sh\r', '/bin/sh\\r; its lines end as those of Windows do'],
    ['#!/bin', '/bin is a directory, not a program'],
  ])('whose first line is %j cannot be executed', (line, told) => {
    expect(problemsOf({ program: put('run', `${line}\n`) })).toContain(told)
  })

  test.each([
    '#!/bin/sh',
    '#!/usr/bin/env sh',
    '#!/usr/bin/env -S sh -e',
    '#!/usr/bin/env -i sh',
    '#!',
    'no script',
    '',
  ])('has no problem with first line %j', line => expect(problemsOf({ program: put('run', `${line}\n`) })).toBe(''))

  test('is reported if its interpreter cannot be executed', () => {
    const inner = put('inner', '#!/nowhere/sh\n')
    expect(problemsOf({ program: put('outer', `#!${inner}\n`) })).toContain('there is no program /nowhere/sh')
    const own = put('own', '')
    writeFileSync(own, `#!${own}\n`)
    expect(problemsOf({ program: own })).toBe('') // the kernel gives up, not Reeve
  })

  test('that was built for another system lacks its loader', () => {
    const binary = Buffer.alloc(256)
    binary.write('\x7fELF', 0, 'latin1')
    binary.set([2, 1], 4)
    binary.writeBigUInt64LE(64n, 0x20)
    binary.writeUInt16LE(56, 0x36)
    binary.writeUInt16LE(1, 0x38)
    binary.writeUInt32LE(3, 64)
    binary.writeBigUInt64LE(128n, 72)
    binary.write('/lib/ld-nowhere.so.1\0', 128, 'latin1')
    expect(findElfLoader(binary)).toBe('/lib/ld-nowhere.so.1')
    expect(problemsOf({ program: put('web', binary) })).toContain('its loader /lib/ld-nowhere.so.1 does not exist here')
    for (let length = 0; length < 128; length += 1) expect(findElfLoader(binary.subarray(0, length))).toBeUndefined()
    expect(problemsOf({ program: put('cut', binary.subarray(0, 100)) })).toBe('')
  })
})

test('missing accounts, directories and files are reported, existing ones are not', () => {
  expect(problemsOf({ user: 'no-such-user' })).toBe('there is no user no-such-user on this host')
  expect(problemsOf({ group: 'no-such-group' })).toBe('there is no group no-such-group on this host')
  expect(problemsOf({ moreGroups: ['root', 'no-such-group'] })).toBe('there is no group no-such-group on this host')
  expect(problemsOf({ workingDirectory: put('file', '') })).toContain('is no directory')
  expect(problemsOf({ files: [{ what: 'environment file', path: '/nowhere' }] })).toBe(
    'there is no environment file /nowhere',
  )
  expect(problemsOf({ secrets: [{ variable: 'A', path: base }] })).toContain('is no regular file')
  const path = put('given', 'A=1\n')
  const given = {
    user: 'root',
    group: 'root',
    workingDirectory: base,
    environmentFiles: [path],
    files: [{ what: 'file', path }],
  }
  expect(problemsOf({ ...given, secrets: [{ variable: 'A', path }] })).toBe('')
})

test('a path that cannot be read is no start problem', () => {
  const host = createReadHost()
  const blind: ReadHost = {
    ...host,
    facts() {
      throw new Error('closed')
    },
    realPath() {
      throw new Error('closed')
    },
  }
  expect(problemsOf({ program: '/nowhere', workingDirectory: '/nowhere', environmentFiles: ['/nowhere'] }, blind)).toBe(
    '',
  )
})

describe.runIf(isRoot)('with the rights of the service’s user', () => {
  const user = 'nobody'

  test('its own groups, memberships and declared groups count', () => {
    const group = createReadHost().findGroup('daemon') ?? 1
    const program = put('run', '#!/bin/sh\n', 0o750)
    chownSync(program, 0, group)
    expect(problemsOf({ program, user })).toContain('user nobody cannot execute')
    expect(problemsOf({ program, user, group: 'daemon' })).toBe('')
    expect(problemsOf({ program, user, moreGroups: ['daemon'] })).toBe('')
  })

  test('access lists count', () => {
    const program = put('run', '#!/bin/sh\n', 0o750)
    expect(problemsOf({ program, user })).toContain('user nobody cannot execute')
    const host = createReadHost()
    const asked: unknown[] = []
    const granted: ReadHost = {
      ...host,
      isGranted(...question) {
        asked.push(question[2])
        return true
      },
    }
    expect(problemsOf({ program, user }, granted)).toBe('')
    expect(new Set(asked)).toEqual(new Set([program]))
  })

  test('access to a path is tested by a process with the rights of that user', () => {
    const host = createReadHost()
    const nobody = host.findUser(user)
    if (!nobody) throw new Error('expected a user nobody')
    const who = { name: user, uid: nobody.uid, gid: nobody.gid }
    const path = put('run', '', 0o750)
    expect(host.isGranted(who, new Set(), path, ['r'])).toBe(false)
    expect(host.isGranted(who, new Set([0]), path, ['r', 'x'])).toBe(true)
    expect(host.isGranted(who, new Set([0]), path, ['w'])).toBe(false)
    chmodSync(path, 0o754)
    expect(host.isGranted(who, new Set(), path, ['r'])).toBe(true)
  })

  test('S8: content that its user cannot read is not shown, wherever a link leads', () => {
    const home = join(base, 'home')
    mkdirSync(home)
    chownSync(home, 65_534, 65_534)
    put('secret', '#!/for/root/alone\nA=1\nhunter2\n', 0o600)
    for (const name of ['run', 'env']) symlinkSync(join(base, 'secret'), join(home, name))
    const told = problemsOf({ program: join(home, 'run'), environmentFiles: [join(home, 'env')], user })
    expect(told).not.toMatch(/alone|line|hunter2/)
  })
})

test.runIf(isRoot).each([
  ['that is not UTF-8', Buffer.from([0x41, 0x3d, 0xff, 0x0a]), /expected UTF-8 text in line 1 of .*variables/],
  ['with a NUL byte', Buffer.from('A=1\nB=\0\n'), /expected text in line 2 of .*variables, found a NUL byte/],
  ['that is too large', Buffer.from(`A=${'x'.repeat(120_000)}`), /variables is larger than 120000 bytes/],
])(
  'an environment file %s prevents the stop for a restart, even in a directory of its user',
  (_, content, expected) => {
    const path = put('variables', content, 0o644)
    expect(problemsOf({ environmentFiles: [path] })).toMatch(expected)
    chownSync(base, 65_534, 65_534)
    chownSync(path, 65_534, 65_534)
    expect(problemsOf({ environmentFiles: [path], user: 'nobody' })).toMatch(expected)
  },
)
