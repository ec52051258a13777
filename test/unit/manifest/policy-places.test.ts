import { rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Policy } from '../../../src/core/model/host-configuration.ts'
import { createManifestSource } from '../../../src/manifest/manifest-source.ts'
import { facilityText, keepInMemory, loadFiles, makeDirectory, supervisorText } from '../../tools/manifest-directory.ts'
import { codesUnderPolicy, loadUnderPolicy, run } from '../../tools/policy-manifest.ts'

describe('S11: paths are checked by where they lead:', () => {
  /** bin/X11 is bin itself, as on Debian; bin/tool and etc/out lead outside; lib is a link to bin. */
  function makeHost(): string {
    const host = makeDirectory({
      'bin/own': '',
      'local/bin/x': '',
      'bin/busybox': '',
      'etc/app/a': '',
      'secret/key': '',
    })
    symlinkSync('.', join(host, 'bin/X11'))
    symlinkSync('../local/bin/x', join(host, 'bin/tool'))
    symlinkSync('busybox', join(host, 'bin/ls'))
    symlinkSync('busybox', join(host, 'bin/sh'))
    symlinkSync('bin', join(host, 'lib'))
    symlinkSync('../secret', join(host, 'etc/out'))
    symlinkSync('loop', join(host, 'loop'))
    return host
  }

  test.each<[string, (host: string) => [policy: Policy, command: string], boolean]>([
    [
      'a link to the directory itself, then ..',
      h => [{ commands: [`${h}/bin`] }, `${h}/bin/X11/../local/bin/x`],
      false,
    ],
    ['a link to the directory itself', h => [{ commands: [`${h}/bin`] }, `${h}/bin/X11/own`], true],
    ['.. after a missing component', h => [{ commands: [`${h}/bin`] }, `${h}/nowhere/../bin/own`], false],
    ['.. and down again', h => [{ commands: [`${h}/bin`] }, `${h}/local/../bin/./own`], true],
    ['a link that leads outside', h => [{ commands: [`${h}/bin`] }, `${h}/bin/tool`], false],
    [
      'a link that leads outside, with an allowed target',
      h => [{ commands: [`${h}/bin`, `${h}/local/bin/x`] }, `${h}/bin/tool`],
      true,
    ],
    ['a directory by an alias', h => [{ commands: [`${h}/bin`] }, `${h}/lib/own`], true],
    ['a list with an alias', h => [{ commands: [`${h}/lib`] }, `${h}/bin/own`], true],
    ['one name of a multi-call program', h => [{ commands: [`${h}/bin/ls`] }, `${h}/bin/ls`], true],
    ['another name of it', h => [{ commands: [`${h}/bin/ls`] }, `${h}/bin/sh`], false],
    ['a program below a file', h => [{ commands: [`${h}/bin`] }, `${h}/bin/own/x`], false],
    ['a link to itself', h => [{ commands: [h] }, `${h}/loop`], false],
    ['a program that does not exist yet', h => [{ commands: [`${h}/bin`] }, `${h}/bin/later/x`], true],
    ['no absolute path', h => [{ commands: [h] }, '"../bin/own"'], false],
    [
      'a path through /proc/self, which differs for each process',
      h => [{ commands: [`${h}/bin`, '/'] }, `/proc/self/cwd${h}/bin/own`],
      false,
    ],
    ['a different case', h => [{ commands: [`${h}/bin`] }, `${h}/BIN/own`], false],
    ['two slashes', h => [{ commands: [`${h}/bin`] }, `/${h}//bin//own`], true],
  ])('a command: %s', (_, given, isAllowed) => {
    const [policy, command] = given(makeHost())
    expect(codesUnderPolicy(run(command), policy)).toEqual(isAllowed ? [] : ['policy-command'])
  })

  test('the message names the target', () => {
    const host = makeHost()
    const [diagnostic] = loadUnderPolicy(run(`${host}/bin/tool`), { commands: [`${host}/bin`] }).diagnostics
    expect(diagnostic?.message).toBe(
      `facility web may not run ${host}/bin/tool, which is ${host}/local/bin/x: not allowed by policy.commands of the host configuration (it has ${host}/bin)`,
    )
  })

  test('a path through /proc/self is allowed if listed literally', () => {
    const output = run('/bin/true', ', output: { file: /dev/stdout }')
    expect(codesUnderPolicy(output, { files: ['/dev'] })).toEqual(['policy-file'])
    expect(codesUnderPolicy(output, { files: ['/dev/stdout'] })).toEqual([])
    expect(codesUnderPolicy(output, { users: ['root'] })).toEqual([])
    const through = `${run('/bin/true')}, files: [{ path: /proc/self/root/etc/x, content: a }]`
    expect(codesUnderPolicy(through, { users: ['root'] })).toEqual(['policy-file'])
    expect(codesUnderPolicy(output, {})).toEqual([])
  })

  test('files, output and secrets are checked the same way', () => {
    const host = makeHost()
    const spec = `${run('/bin/true', `, output: { file: ${host}/etc/out/log }, environmentFiles: [${host}/etc/out/key], environment: { A: { fromFile: ${host}/etc/out/key } }`)},
      files: [{ path: ${host}/etc/out/key, content: a }, { path: ${host}/etc/app/a, content: a }]`
    const policy = { files: [`${host}/etc`], reads: [`${host}/etc`] }
    expect(codesUnderPolicy(spec, policy).toSorted()).toEqual([
      'policy-file',
      'policy-file',
      'policy-read',
      'policy-read',
    ])
  })

  test('directories of supervisors are checked the same way', () => {
    const host = makeHost()
    const spec = `type: process, process: { directory: ${host}/etc/out/state }`
    const policy = { supervisorDirectories: [`${host}/etc`] }
    expect(loadFiles({ 'app.yaml': supervisorText('app', spec) }, { policy }).diagnostics).toMatchObject([
      { code: 'policy-file' },
    ])
  })

  test('a link that changes between two reads counts as it is now', () => {
    const host = makeHost()
    const source = createManifestSource({
      ...keepInMemory({ 'web.yaml': facilityText('web', run(`${host}/now/own`)) }),
      types: ['process'],
      policy: { commands: [`${host}/bin`] },
    })
    symlinkSync('bin', join(host, 'now'))
    expect(source.read().diagnostics).toEqual([])
    rmSync(join(host, 'now'))
    symlinkSync('local/bin', join(host, 'now'))
    expect(source.read().diagnostics).toMatchObject([{ code: 'policy-command' }])
  })
})

describe('S11: a path that the repository can write satisfies no rule:', () => {
  const file = (path: string, more = '') => `${run('/usr/bin/true')}, files: [{ path: ${path}, content: a${more} }]`

  test.each<[string, Policy, string, string[]]>([
    [
      'a program where programs are allowed',
      { commands: ['/usr/bin'] },
      file('/usr/bin/mine', ', mode: "0755"'),
      ['policy-file'],
    ],
    [
      'a file that its owner may make executable',
      { commands: ['/usr/bin'], users: ['root', 'web'] },
      file('/usr/bin/mine', ', owner: web'),
      ['policy-file'],
    ],
    [
      'output there',
      { commands: ['/usr/bin'] },
      run('/usr/bin/true', ', output: { file: /usr/bin/log }'),
      ['policy-file'],
    ],
    ['a file there that is not executable', { commands: ['/usr/bin'] }, file('/usr/bin/mine.conf'), []],
    ['a program elsewhere', { commands: ['/usr/bin'] }, file('/opt/mine', ', mode: "0755"'), []],
    [
      'a definition of a supervisor',
      { users: ['root'], supervisorDirectories: ['/etc/sv'] },
      file('/etc/sv/x/run'),
      ['policy-file'],
    ],
    [
      'a supervisor definition, by a broad list',
      { files: ['/etc'], supervisorDirectories: ['/etc/sv'] },
      file('/etc/sv/x/run'),
      ['policy-file'],
    ],
    [
      'a supervisor definition, by a list that names it',
      { files: ['/etc/sv'], supervisorDirectories: ['/etc/sv'] },
      file('/etc/sv/x/run'),
      [],
    ],
  ])('%s', (_, policy, spec, expected) => {
    expect(codesUnderPolicy(spec, policy)).toEqual(expected)
  })

  test("Reeve's own files, whatever the lists", () => {
    const directory = makeDirectory({ 'state/x': '', 'reeve.yaml': '' })
    const places = {
      own: [join(directory, 'state'), join(directory, 'reeve.yaml')],
      definitions: ['/etc/systemd/system'],
    }
    const problemsOf = (path: string, policy: Policy) =>
      loadFiles({ 'web.yaml': facilityText('web', file(path)) }, { policy, places }).diagnostics.map(
        ({ message }) => message,
      )
    symlinkSync('.', join(directory, 'again'))
    for (const path of ['reeve.yaml', 'state/record.json', 'again/reeve.yaml']) {
      expect(problemsOf(join(directory, path), { files: ['/'] })).toEqual([
        expect.stringContaining('Reeve itself reads or keeps it'),
      ])
      expect(problemsOf(join(directory, path), {})).toEqual([])
    }
    const unit = '/etc/systemd/system/ssh.service.d/x.conf'
    expect(problemsOf(unit, { users: ['root'] })).toEqual([
      expect.stringContaining('supervisors read their definitions there'),
    ])
  })
})

describe('S11: files beside an output are restricted like the output itself:', () => {
  const output = (more = '') => run('/a', `, output: { file: /var/log/web.log${more} }`)

  function messagesOf(spec: string, files: readonly string[], besideOutput?: 'rotated' | 'directory'): string[] {
    return loadUnderPolicy(spec, { files }, {}, besideOutput).diagnostics.map(({ message }) => message)
  }

  test.each<['rotated' | 'directory', string, string]>([
    ['rotated', '', '/var/log/web.log.1'],
    ['rotated', ', keep: 2', '/var/log/web.log.1'],
    ['directory', ', keep: 0', '/var/log/web.log.d'],
  ])('%s, %s', (beside, more, refused) => {
    expect(messagesOf(output(more), ['/var/log/web.log'], beside)).toEqual([
      `facility web may not write ${refused}: not allowed by policy.files of the host configuration (it has /var/log/web.log); supervisor process keeps output there too, beside /var/log/web.log`,
    ])
    expect(messagesOf(output(more), ['/var/log'], beside)).toEqual([])
    expect(messagesOf(output(more), ['/var/log/web.log'])).toEqual([])
  })

  test('each path that is written to has to be allowed, and no other', () => {
    const [file, others] = ['/var/log/web.log', ['.1', '.2', '.rotating'].map(end => `/var/log/web.log${end}`)]
    expect(messagesOf(output(', keep: 2'), [file, ...others], 'rotated')).toEqual([])
    expect(messagesOf(output(', keep: 3'), [file, ...others], 'rotated')).toHaveLength(1)
    expect(messagesOf(output(', keep: 0'), [file], 'rotated')).toEqual([])
    expect(messagesOf(output(), [file, `${file}.d`], 'directory')).toEqual([])
  })

  test('a program in policy.commands is not overwritten by rotation', () => {
    const spec = run('/usr/bin/web', ', output: { file: /usr/bin/web.log, keep: 1 }')
    const { diagnostics } = loadUnderPolicy(spec, { commands: ['/usr/bin/web', '/usr/bin/web.log.1'] }, {}, 'rotated')
    expect(diagnostics.map(({ code }) => code)).toEqual(['policy-file'])
  })
})
