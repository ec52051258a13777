import { describe, expect, test } from 'vitest'
import { digestProcess, parseDefinition, renderDefinition } from '../../../../../providers/process/shared/definition.ts'
import { directoryOf, layoutOf, runOfFile, serviceOfJson } from '../../../../../providers/process/shared/layout.ts'
import type { Facility, Instance, Process } from '../../../../../src/core/model/facility.ts'
import type { Ownership } from '../../../../../src/core/state/observed.ts'
import { plainFacility } from '../../../../tools/plain-facility.ts'

const instance: Instance = {
  name: 'process',
  type: 'process',
  options: {},
  stateDirectory: '/var/lib/reeve',
  owner: 'default',
}
const ownership: Ownership = { owner: 'default', facility: 'web', files: ['/etc/web.toml'], dependsOn: [], prune: true }

const whole: Process = {
  command: ['/usr/bin/node', "it's.js", ''],
  workingDirectory: '/srv/web',
  user: 'web',
  group: 'www',
  umask: 0o27,
  environment: { PORT: '8080', TOKEN: { fromFile: '/etc/token' }, A: '' },
  environmentFiles: ['/etc/env'],
  limits: { nofile: 65536, core: 'unlimited' },
  restart: { policy: 'on-failure', delay: 1_500 },
  stop: { signal: 'INT', timeout: 3_600_000 },
  reload: { command: ['/bin/true'] },
  output: { file: '/var/log/web.log', maxSize: 10 * 2 ** 20, keep: 3 },
}

function createFacility(process: Process | undefined, config?: unknown): Facility {
  return plainFacility({
    name: 'web',
    supervisor: 'process',
    ...(process && { process }),
    ...(config !== undefined && { config }),
  })
}

function render(process: Process | undefined, config?: unknown): { content: string; digest: string } {
  const rendered = renderDefinition(createFacility(process, config), instance, ownership)
  if ('problems' in rendered) throw new Error(JSON.stringify(rendered.problems))
  const [file] = rendered.definition.files
  return { content: file?.content ?? '', digest: rendered.definition.digest }
}

function problems(process: Process | undefined, config?: unknown): string[] {
  const rendered = renderDefinition(createFacility(process, config), instance, ownership)
  return 'problems' in rendered ? rendered.problems.map(({ field }) => field) : []
}

test('a definition is one readable JSON file that contains the marker', () => {
  const rendered = renderDefinition(createFacility(whole), instance, ownership)
  expect(rendered).toMatchObject({
    definition: { files: [{ path: '/var/lib/reeve/process/definitions/web.json', mode: 0o600 }] },
  })
  expect(render(whole).content).toMatchInlineSnapshot(`
    "{
      "reeve": {
        "owner": "default",
        "facility": "web",
        "files": [
          "/etc/web.toml"
        ],
        "dependsOn": [],
        "prune": true
      },
      "process": {
        "command": [
          "/usr/bin/node",
          "it's.js",
          ""
        ],
        "workingDirectory": "/srv/web",
        "user": "web",
        "group": "www",
        "umask": "0027",
        "environment": {
          "A": "",
          "PORT": "8080",
          "TOKEN": {
            "fromFile": "/etc/token"
          }
        },
        "environmentFiles": [
          "/etc/env"
        ],
        "limits": {
          "core": "unlimited",
          "nofile": 65536
        },
        "restart": {
          "policy": "on-failure",
          "delay": "1500ms"
        },
        "stop": {
          "signal": "INT",
          "timeout": "1h"
        },
        "reload": {
          "command": [
            "/bin/true"
          ]
        },
        "output": {
          "file": "/var/log/web.log",
          "maxSize": "10MiB",
          "keep": 3
        }
      }
    }
    "
  `)
})

test('a rendered definition reads back as the same process, marker and digest', () => {
  const { content, digest } = render(whole)
  expect(parseDefinition(content)).toEqual({ kind: 'valid', process: whole, ownership })
  expect(digestProcess(whole)).toBe(digest)
})

test('the digest covers the process alone, not the marker nor the order of maps', () => {
  const other = renderDefinition(createFacility(whole), instance, { ...ownership, files: [], prune: false })
  expect('definition' in other && other.definition.digest).toBe(render(whole).digest)
  const { environment, ...rest } = whole
  const reversed = { ...rest, environment: Object.fromEntries(Object.entries(environment).reverse()) }
  expect(render(reversed)).toEqual(render(whole))
  expect(render({ ...whole, umask: 0o22 }).digest).not.toBe(render(whole).digest)
})

describe('config.process is laid over process', () => {
  test('merges maps, replaces other values, and removes by null', () => {
    const { content } = render(whole, {
      command: ['/bin/other'],
      environment: { PORT: '9', A: null, B: 'b' },
      user: null,
      stop: { timeout: '5s' },
      reload: { signal: 'SIGUSR1' },
    })
    const parsed = parseDefinition(content)
    expect(parsed.kind === 'valid' && parsed.process).toMatchObject({
      command: ['/bin/other'],
      environment: { PORT: '9', B: 'b', TOKEN: { fromFile: '/etc/token' } },
      stop: { signal: 'INT', timeout: 5_000 },
      reload: { signal: 'USR1' },
      group: 'www',
    })
    expect(content).not.toContain('"user"')
    expect(content).not.toContain('"A"')
  })

  test('may be the whole definition, with the usual defaults', () => {
    const parsed = parseDefinition(render(undefined, { command: ['/bin/x'] }).content)
    expect(parsed.kind === 'valid' && parsed.process).toEqual({
      command: ['/bin/x'],
      environment: {},
      environmentFiles: [],
      limits: {},
      restart: { policy: 'always', delay: 1_000 },
      stop: { signal: 'TERM', timeout: 10_000 },
    })
  })

  test('reports a mistake by its place in the manifest', () => {
    expect(problems(undefined, {})).toEqual(['process.command'])
    expect(problems(whole, { umask: '99', stop: { signal: 'NOPE' } })).toEqual([
      'config.process.umask',
      'config.process.stop.signal',
    ])
    expect(problems(whole, { comand: ['x'] })).toEqual(['config.process.comand'])
    expect(problems(whole, 'text')).toEqual(['config.process'])
    expect(problems(whole, { workingDirectory: 'srv' })).toEqual(['config.process.workingDirectory'])
  })
})

test('allows a secret in a variable that steers the shell or the loader, but not in names that the scripts use', () => {
  const secret = { fromFile: '/etc/token' }
  expect(problems({ ...whole, environment: { LD_PRELOAD: secret, IFS: 'x' } })).toEqual([])
  expect(problems({ ...whole, environment: { __reeve_count: '1' } })).toEqual(['process.environment.__reeve_count'])
  expect(problems({ ...whole, environment: { 'a.b': '1' } })).toEqual(['process.environment.a.b'])
})

test('a definition edited to nonsense is invalid, and still known as ours if its marker is readable', () => {
  const { content } = render(whole)
  expect(parseDefinition(undefined)).toEqual({ kind: 'absent' })
  expect(parseDefinition(content.slice(0, 50)).kind).toBe('invalid')
  expect(parseDefinition(content.replace('"0027"', '27'))).toMatchObject({
    kind: 'invalid',
    ownership,
    problem: 'process.umask: must be three octal digits in quotes, such as "0640"',
  })
  expect(parseDefinition('{"process":{"command":["x"]}}')).toMatchObject({ kind: 'valid', ownership: undefined })
})

describe('the layout of an instance', () => {
  test('depends on whether it is the default, named, or has a directory', () => {
    expect(directoryOf(instance)).toBe('/var/lib/reeve/process')
    expect(directoryOf({ ...instance, name: 'app' })).toBe('/var/lib/reeve/process-app')
    expect(directoryOf({ ...instance, options: { directory: '/srv/a/../sup/' } })).toBe('/srv/sup')
  })

  test('leads from file names back to the service; temporary files belong to none', () => {
    expect(serviceOfJson('a.json.json')).toBe('a.json')
    expect(serviceOfJson('.reeve-web.json-1-abc.tmp')).toBeUndefined()
    expect(serviceOfJson('.web.tmp')).toBeUndefined()
    expect(runOfFile('a.b~12.exit')).toEqual({ service: 'a.b', run: 12 })
    expect(runOfFile('a~1.txt')).toBeUndefined()
    expect(runOfFile('.a~1.sh')).toBeUndefined()
    expect(layoutOf('/x').socket).toBe('/x/supervisor.sock')
  })
})
