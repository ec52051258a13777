import { describe, expect, test } from 'vitest'
import { mergeForm } from '../../../providers/process/shared/process-form.ts'
import { buildEnvironment } from '../../../providers/process/supervisor/environment.ts'
import { systemdProvider } from '../../../providers/systemd/index.ts'
import { readConfiguration } from '../../../providers/systemd/units/configuration.ts'
import { mergeSections, readSections, writeSections } from '../../../providers/systemd/units/unit-file.ts'
import { createDictionary, lookUp } from '../../../src/core/dictionary.ts'
import { parseEnvironmentFile } from '../../../src/core/model/environment-file.ts'
import type { Facility } from '../../../src/core/model/facility.ts'
import { openHistory, readHistory } from '../../../src/engine/session/history.ts'
import { emptyRecord, readRecord, writeRecord } from '../../../src/engine/session/state-files.ts'
import { createReadHost } from '../../../src/host/read-host.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import type { ManifestSet } from '../../../src/manifest/manifest-set.ts'
import { explainField } from '../../../src/manifest/schema/explanation.ts'
import { facilityText, loadFiles, makeDirectory, supervisorText } from '../../tools/manifest-directory.ts'
import { plainFacility, plainProcess } from '../../tools/plain-facility.ts'

/** Words that every JavaScript object seems to have as properties. */
const words = [
  'constructor',
  '__proto__',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'isPrototypeOf',
  '__defineGetter__',
  '__lookupSetter__',
] as const
/** Those of the words that are valid names of facilities and services. */
const names = words.filter(word => !word.startsWith('_'))

const types = ['process', 'systemd', 'runit', 's6', 'daemontools']

function load(files: Readonly<Record<string, string>>, policy?: object): ManifestSet {
  return loadFiles(files, {
    types,
    schemaOf: type => (type === 'systemd' ? systemdProvider.capabilities : undefined),
    runsAsRoot: false,
    insecurePermissions: true,
    ...(policy && { policy }),
  })
}

function messagesOf(set: ManifestSet): string[] {
  return set.diagnostics.map(({ message }) => message)
}

describe.each(words)('S12: %s is a word like any other', word => {
  test('in a dictionary and in a table', () => {
    const dictionary = createDictionary<number>()
    expect(dictionary[word]).toBeUndefined()
    dictionary[word] = 1
    expect(Object.entries(dictionary)).toEqual([[word, 1]])
    expect(lookUp({ other: 1 }, word)).toBeUndefined()
    expect(Object.entries(createDictionary([[word, 2]]))).toEqual([[word, 2]])
  })

  test('as a section and a key of a unit', () => {
    const text = `[${word}]\n${word}=1\n${word}=2\n\n[Service]\n${word}=3\nExecStart=/bin/true\n`
    const sections = readSections(text)
    expect(Object.keys(sections)).toEqual([word, 'Service'])
    expect(Object.entries(sections[word] ?? {})).toEqual([[word, ['1', '2']]])
    expect(writeSections(sections)).toBe(text)
    expect(writeSections(mergeSections(sections, readSections('[Unit]\nX=1\n')))).toBe(`${text}\n[Unit]\nX=1\n`)
    expect(writeSections(mergeSections(readSections('[Unit]\nX=1\n'), sections))).toBe(`[Unit]\nX=1\n\n${text}`)
    expect(writeSections(mergeSections(sections, sections))).toBe(text)
    expect(readSections('[Service]\nX=1\n')[word]).toBeUndefined()
  })

  test('in a whole unit and in sections of spec.config.systemd', () => {
    const instance = { name: 'systemd', type: 'systemd', options: {}, stateDirectory: '/s', owner: 'default' }
    const ownership = { owner: 'default', facility: 'web', files: [], dependsOn: [], prune: true }
    const render = (config: unknown): string => {
      const facility = plainFacility({ name: 'web', supervisor: 'systemd', config })
      const rendered = systemdProvider.render(facility, instance, ownership)
      return 'definition' in rendered ? (rendered.definition.files[0]?.content ?? '') : JSON.stringify(rendered)
    }
    const text = `[${word}]\n${word}=1\n[Service]\nExecStart=/bin/true\n${word}=1\n`
    expect(render({ text })).toContain(`${word}=1`)
    const keys = createDictionary<string>([[word, '1']])
    const unit = createDictionary<object>([
      [word, keys],
      ['Service', { ExecStart: '/bin/true', ...keys }],
    ])
    expect(writeSections(readConfiguration({ unit }).unit ?? {})).toContain(`[${word}]\n${word}=1\n`)
    expect(render({ unit })).toContain(`${word}=1`)
  })

  test('as a variable of an environment and of an environment file', () => {
    expect(Object.entries(parseEnvironmentFile(`${word}=1\nX=2\n`, '/f'))).toEqual([
      [word, '1'],
      ['X', '2'],
    ])
    const process = { ...plainProcess, command: ['/bin/true'], environment: createDictionary([[word, '1']]) }
    const { variables } = buildEnvironment(process, createReadHost(), '/usr/bin/node', true)
    expect(Object.entries(variables)).toContainEqual([word, '1'])
  })

  test('in native configuration of the built-in supervisor', () => {
    const over = createDictionary<unknown>([[word, { a: 1 }]])
    expect(Object.entries(mergeForm({ command: ['x'] }, over))).toEqual([
      ['command', ['x']],
      [word, { a: 1 }],
    ])
    expect(Object.keys(mergeForm({}, createDictionary([[word, null]])))).toEqual([])
  })

  test('as the path of a field to explain', () => {
    for (const path of [word, `spec.${word}`, `Supervisor.spec.${word}.${word}`, `HostConfiguration.${word}`]) {
      const explain = (): unknown => explainField(path, new Map())
      if (path.startsWith('Supervisor.')) continue // which accepts options of any type
      expect(explain).toThrow(new RegExp(`has no field "${word}"`))
    }
  })

  test('as a field, a label, a limit, a type and a key of spec.config', () => {
    const spec = `process: { command: [/bin/true], environment: { "${word}": "1" } }`
    const declared = load({
      'a.yaml': `apiVersion: reeve/v1\nkind: Facility\nmetadata: { name: web, labels: { "${word}": x } }\nspec: { ${spec} }\n`,
    })
    if (word === '__proto__') expect(messagesOf(declared)).toContainEqual('__proto__ cannot be a key')
    else {
      const [web]: readonly (Facility | undefined)[] = declared.facilities
      expect(messagesOf(declared).filter(message => !message.includes('label'))).toEqual([])
      if (web) expect(Object.entries(web.process?.environment ?? {})).toEqual([[word, '1']])
    }
    for (const [what, text] of [
      ['field', facilityText('web', `process: { command: [/bin/true] }, "${word}": {}`)],
      ['limit', facilityText('web', `process: { command: [/bin/true], limits: { "${word}": 1 } }`)],
      ['process', facilityText('web', `process: { command: [/bin/true], "${word}": 1 }`)],
      ['type', supervisorText('own', `type: "${word}"`)],
      ['options', supervisorText('own', `type: runit, "${word}": {}`)],
      ['both', supervisorText('own', `type: "${word}", "${word}": {}`)],
      ['supervisor', facilityText('web', `supervisor: "${word}", process: { command: [/bin/true] }`)],
      ['native', facilityText('web', `supervisor: systemd, config: { "${word}": {} }`)],
      ['signal', facilityText('web', `process: { command: [/bin/true], stop: { signal: "${word}" } }`)],
    ] as const) {
      const set = load({ 'a.yaml': text })
      expect(messagesOf(set), what).not.toEqual([])
      expect([...set.facilities, ...set.supervisors], what).toEqual([])
    }
  })
})

test.each(names)('S12: %s can name a facility, its service, its supervisor and its dependency', name => {
  const set = load({
    'a.yaml': facilityText(name, `supervisor: ${name}, process: { command: [/bin/true] }`),
    'b.yaml': facilityText('web', `serviceName: ${name}, process: { command: [/bin/true] }, dependsOn: [${name}]`),
    'c.yaml': supervisorText(name, 'type: runit'),
  })
  expect(messagesOf(set)).toEqual([])
  expect(set.facilities.map(facility => facility.name).sort()).toEqual([name, 'web'].sort())
})

test.each(names)('S12: %s can name an entry of the state and of the history', name => {
  const directory = makeDirectory()
  const host = createWriteHost()
  const applied = new Map([[name, { digest: 'd', supervisor: name, service: name, files: [] }]])
  const instances = new Map([[name, { type: 'runit', options: {} }]])
  const claims = new Map([[`/${name}`, { isFulfilled: true, contents: [name] }]])
  writeRecord(directory, { applied, instances, claims }, emptyRecord, host)
  expect(readRecord(directory, host)).toEqual({ applied, instances, claims })
  const entry = { time: '', facility: name, supervisor: name, service: name, verb: 'start', reason: 'new' } as const
  openHistory(directory, host).append({
    ...entry,
    result: 'done',
    duration: 1,
    step: `${name}/start`,
    trigger: 'apply',
  })
  expect(readHistory(directory, host, { facility: name })).toHaveLength(1)
  expect(readHistory(directory, host, { facility: 'valueOf~' })).toHaveLength(0)
})

test.each(names)('S12: %s in a policy allows and forbids exactly what it names', name => {
  const text = facilityText('web', `supervisor: runit, process: { command: [/bin/true], user: ${name} }`)
  const codes = (policy: object): string[] => load({ 'a.yaml': text }, policy).diagnostics.map(({ code }) => code)
  expect(codes({ users: [name], supervisors: ['runit'] })).toEqual([])
  expect(codes({ users: ['www'], supervisors: [name] })).toEqual(['policy-supervisor', 'policy-user'])
})
