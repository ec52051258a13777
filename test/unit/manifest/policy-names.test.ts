import { describe, expect, test } from 'vitest'
import type { Policy } from '../../../src/core/model/host-configuration.ts'
import { loadFiles, supervisorText } from '../../tools/manifest-directory.ts'
import { codesUnderPolicy, loadUnderPolicy, run } from '../../tools/policy-manifest.ts'

describe('S11: services are restricted by name:', () => {
  test.each<[string, Policy, string, string[]]>([
    ['an existing service without a policy', {}, 'serviceName: ssh, state: stopped', []],
    [
      'an existing service that is not listed',
      { users: ['web'] },
      'serviceName: ssh, state: stopped',
      ['policy-service'],
    ],
    ['a facility of files only', { users: ['web'] }, 'files: [{ path: /a, content: a }]', ['policy-service']],
    ['a listed service', { users: ['web'], services: ['ssh'] }, 'serviceName: ssh', []],
    ['a service that matches a pattern', { services: ['web-*'] }, 'serviceName: web-1', []],
    [
      'a service that does not match the start of a pattern',
      { services: ['web-*'] },
      'serviceName: aweb-1',
      ['policy-service'],
    ],
    [
      'a service that does not match the end of a pattern',
      { services: ['*-web'] },
      'serviceName: a-webs',
      ['policy-service'],
    ],
    [
      'a service on which the ends of a pattern overlap',
      { services: ['ab*ba'] },
      'serviceName: aba',
      ['policy-service'],
    ],
    ['a template instance', { services: ['getty@*'] }, 'serviceName: getty@tty1', []],
    ['a different case', { services: ['ssh'] }, 'serviceName: SSH', ['policy-service']],
    ['a name with its suffix', { services: ['ssh'] }, 'serviceName: ssh.service', ['policy-service']],
    ['a dot matches only a dot', { services: ['a.b'] }, 'serviceName: axb', ['policy-service']],
    ['none', { services: [] }, 'state: running', ['policy-service']],
    ['a service defined by the manifest', { services: [] }, run('/a'), []],
    ['a service that the manifest adopts', { services: [] }, `${run('/a')}, adopt: true`, ['policy-service']],
    ['a listed service that the manifest adopts', { services: ['web'] }, `${run('/a')}, adopt: true`, []],
  ])('%s', (_, policy, spec, expected) => {
    expect(codesUnderPolicy(spec, policy)).toEqual(expected)
  })
})

describe('S11: supervisors are restricted by type and place:', () => {
  const facility = (supervisor: string) => `supervisor: ${supervisor}, ${run('/a')}`

  test("a name given by the repository does not match the owner's list", () => {
    const app = { 'app.yaml': supervisorText('app', 'type: systemd') }
    expect(codesUnderPolicy(facility('app'), { supervisors: ['process', 'app'] }, app)).toEqual(['policy-supervisor'])
    expect(loadUnderPolicy(facility('app'), { supervisors: ['process'] }, app).diagnostics[0]?.message).toContain(
      'use the supervisor app, which is of type systemd: not allowed by policy.supervisors',
    )
  })

  test('a supervisor of an allowed type is accepted in an allowed place', () => {
    const at = (directory: string) => ({
      'app.yaml': supervisorText('app', `type: process, process: { directory: ${directory} }`),
    })
    const policy = { supervisors: ['process'], supervisorDirectories: ['/srv/app'] }
    expect(codesUnderPolicy(facility('app'), policy, at('/srv/app/own'))).toEqual([])
    expect(codesUnderPolicy(facility('app'), policy, at('/srv/other'))).toContain('policy-file')
  })

  test.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf'])('type %s does not exist', type => {
    const { diagnostics, supervisors } = loadUnderPolicy(
      run('/a'),
      {},
      { 'app.yaml': supervisorText('app', `type: ${type}`) },
    )
    expect(diagnostics).toMatchObject([{ code: 'unknown-supervisor-type' }])
    expect(supervisors).toEqual([])
    expect(codesUnderPolicy(facility(type), {})).toEqual(['unknown-supervisor'])
    expect(codesUnderPolicy(`config: { ${type}: { a: 1 } }`, {})).toEqual(['no-definition'])
  })
})

describe('S11: files are given only to allowed users and groups:', () => {
  const file = (more: string) => `${run('/a', ', user: web')}, files: [{ path: /etc/web/a, content: a, ${more} }]`

  test.each<[string, Policy, string, string[]]>([
    ['an allowed user', { users: ['web'] }, file('owner: web'), []],
    ['a user that is not allowed', { users: ['web'] }, file('owner: db'), ['policy-user']],
    ['a user by number', { users: ['web'] }, file('owner: "1001"'), ['policy-user']],
    ['root, who has access anyway', { users: ['web'] }, file('owner: root, group: root'), []],
    ['a group named like an allowed user', { users: ['web'] }, file('group: web'), []],
    ['another group', { users: ['web'] }, file('group: shadow'), ['policy-group']],
    ['a listed group', { users: ['web'], groups: ['ssl'] }, file('group: ssl'), []],
    ['a group without a list', { groups: [] }, file('group: web'), ['policy-group']],
  ])('%s', (_, policy, spec, expected) => {
    expect(codesUnderPolicy(spec, policy)).toEqual(expected)
  })
})

// For manifests written by somebody who wants more than is allowed.
describe('S11: the policy applies however the manifest is written:', () => {
  const policy: Policy = { users: ['web'], services: [] }
  const expected = ['policy-service']

  test.each<[string, Readonly<Record<string, string>>]>([
    [
      'JSON',
      { 'a.json': '{"apiVersion":"reeve/v1","kind":"Facility","metadata":{"name":"a"},"spec":{"serviceName":"ssh"}}' },
    ],
    [
      'an alias',
      { 'a.yaml': 'apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: &n ssh }\nspec: { serviceName: *n }\n' },
    ],
    [
      'escapes',
      { 'a.yaml': 'apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: a }\nspec: { serviceName: "s\\x73h" }\n' },
    ],
    [
      'a program without a path',
      { 'a.yaml': 'apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: ssh }\nspec: {}\n' },
    ],
  ])('%s', (_, files) => {
    const { diagnostics } = loadFiles(files, { policy, runsAsRoot: true, insecurePermissions: true })
    expect(diagnostics.map(({ code }) => code)).toEqual(expected)
  })
})
