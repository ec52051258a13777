import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Policy } from '../../../src/core/model/host-configuration.ts'
import { makeDirectory } from '../../tools/manifest-directory.ts'
import { codesUnderPolicy, loadUnderPolicy, run } from '../../tools/policy-manifest.ts'

describe("S11: variables that decide what code runs need the owner's permission:", () => {
  const commands = ['/usr/bin/true']
  const set = (name: string) => run('/usr/bin/true', `, environment: { ${name}: x }`)

  test.each([
    'LD_PRELOAD',
    'LD_LIBRARY_PATH',
    'LD_AUDIT',
    'GCONV_PATH',
    'GLIBC_TUNABLES',
    'PATH',
    'HOME',
    'BASH_ENV',
    'ENV',
    'PS4',
    'SHELLOPTS',
    'NODE_OPTIONS',
    'NODE_PATH',
    'npm_config_node_options',
    'PYTHONPATH',
    'PYTHONSTARTUP',
    'PYTHONHOME',
    'PERL5OPT',
    'PERL5LIB',
    'PERL5DB',
    'RUBYOPT',
    'RUBYLIB',
    'JAVA_TOOL_OPTIONS',
    '_JAVA_OPTIONS',
    'JDK_JAVA_OPTIONS',
    'CLASSPATH',
    'GIT_SSH_COMMAND',
    'GIT_CONFIG_GLOBAL',
    'LESSOPEN',
    'PAGER',
    'MANPAGER',
    'EDITOR',
    'DOTNET_STARTUP_HOOKS',
    'PHPRC',
    'LUA_INIT',
    'LUA_INIT_5_4',
    'ERL_FLAGS',
    'OPENSSL_CONF',
    'XDG_CONFIG_HOME',
    'QT_PLUGIN_PATH',
    'TAR_OPTIONS',
  ])('%s needs it', name => {
    expect(codesUnderPolicy(set(name), { commands })).toEqual(['policy-environment'])
    expect(codesUnderPolicy(set(name), { environment: [] })).toEqual(['policy-environment'])
    expect(codesUnderPolicy(set(name), { commands, environment: [name] })).toEqual([])
    expect(codesUnderPolicy(set(name), { commands, environment: ['*'] })).toEqual([])
    expect(codesUnderPolicy(set(name), { users: ['root'] })).toEqual([])
    const secret = run('/usr/bin/true', `, environment: { ${name}: { fromFile: /etc/x } }`)
    expect(codesUnderPolicy(secret, { commands })).toEqual(['policy-environment'])
  })

  test.each([
    'PORT',
    'NODE_ENV',
    'TOKEN',
    'PYTHONUNBUFFERED',
    'DATABASE_URL',
    'TZ',
    'LANG',
    'MYSQL_PASSWORD',
    'APP_HOME',
  ])('%s does not need it', name => {
    expect(codesUnderPolicy(set(name), { commands })).toEqual([])
  })

  test('the message gives the reason', () => {
    expect(loadUnderPolicy(set('LD_PRELOAD'), { commands }).diagnostics[0]).toMatchObject({
      line: 4,
      message:
        'facility web may not set LD_PRELOAD: not allowed by policy.environment of the host configuration (it is not given, and as policy.commands is, that allows none): the loader and the C library load code, or read their files, from where they say',
    })
  })

  test.each<[string, (host: string) => [policy: Policy, file: string], boolean]>([
    ["owned by the host's owner", h => [{ commands, files: [`${h}/web`] }, `${h}/own/env`], true],
    ['writable by the repository', h => [{ commands, files: [`${h}/own`] }, `${h}/own/env`], false],
    ['writable by the repository, which may write anywhere', h => [{ commands }, `${h}/own/env`], false],
    ['linked to where the repository may write', h => [{ commands, files: [`${h}/web`] }, `${h}/own/link`], false],
    ['in the repository itself', h => [{ commands, files: [`${h}/web`] }, './env'], false],
    [
      'in a directory of a supervisor',
      h => [{ commands, files: [], supervisorDirectories: [`${h}/own`] }, `${h}/own/env`],
      false,
    ],
    ['any, with permission', h => [{ commands, environment: ['*'] }, `${h}/own/env`], true],
    ['any, where only users are restricted', h => [{ users: ['root'] }, `${h}/own/env`], true],
  ])('an environment file: %s', (_, given, isAllowed) => {
    const host = makeDirectory({ 'own/env': 'LD_PRELOAD=/x\n', 'web/env': '' })
    symlinkSync('../web/env', join(host, 'own/link'))
    const [policy, file] = given(host)
    const spec = run('/usr/bin/true', `, environmentFiles: [${file}]`)
    expect(codesUnderPolicy(spec, policy, { env: 'LD_PRELOAD=/x\n' })).toEqual(isAllowed ? [] : ['policy-environment'])
  })
})
