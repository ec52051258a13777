import { describe, expect, test } from 'vitest'
import { renderDefinition } from '../../../../../providers/systemd/units/definition.ts'
import { findNameProblem } from '../../../../../providers/systemd/units/unit-name.ts'
import { plainFacility, plainProcess } from '../../../../tools/plain-facility.ts'

const instance = { name: 'systemd', type: 'systemd', options: {}, stateDirectory: '/s', owner: 'default' }
const ownership = { owner: 'default', facility: 'web', files: [], dependsOn: [], prune: true }

function touchesOf(config: unknown, service = 'web', isWhole = true): readonly string[] {
  const process = isWhole ? { process: { ...plainProcess, command: ['/bin/true'] } } : {}
  const facility = plainFacility({ name: 'web', supervisor: 'systemd', service, config, ...process })
  const rendered = renderDefinition(facility, instance, ownership)
  if ('problems' in rendered) throw new Error(JSON.stringify(rendered.problems))
  return rendered.definition.touches ?? []
}

const unit = (section: string, key: string, value: unknown) => ({ unit: { [section]: { [key]: value } } })
const text = (more: string) => ({ text: `[Service]\nExecStart=/bin/true\n[Unit]\n${more}\n` })

describe('S11: services that a unit names beyond itself:', () => {
  test.each([
    'Requires',
    'Requisite',
    'Wants',
    'BindsTo',
    'PartOf',
    'Upholds',
    'Conflicts',
    'OnFailure',
    'OnSuccess',
    'PropagatesStopTo',
    'StopPropagatedFrom',
    'PropagatesReloadTo',
    'ReloadPropagatedFrom',
    'JoinsNamespaceOf',
  ])('%s=', key => {
    expect(touchesOf(unit('Unit', key, 'ssh.service db.socket'))).toEqual(['db.socket', 'ssh'])
    expect(touchesOf(unit('Unit', key, ['ssh.service', 'db.socket']))).toEqual(['db.socket', 'ssh'])
    expect(touchesOf({ dropIns: { a: { Unit: { [key]: 'ssh.service' } } } })).toEqual(['ssh'])
    expect(touchesOf({ dropIns: { a: `[Unit]\n${key}=ssh.service\n` } }, 'web', false)).toEqual(['ssh'])
  })

  test.each<[string, unknown, readonly string[]]>([
    [
      'units it is only ordered after or before',
      { unit: { Unit: { After: 'ssh.service', Before: 'db.service' } } },
      [],
    ],
    ['targets that every host has', unit('Unit', 'Wants', 'network-online.target'), []],
    ['targets that change the host', unit('Unit', 'Wants', 'rescue.target'), ['rescue.target']],
    ['a conflict with a target that every host has', unit('Unit', 'Conflicts', 'network.target'), ['network.target']],
    ['wanted at boot', unit('Install', 'WantedBy', 'multi-user.target'), []],
    ['wanted by a service', unit('Install', 'WantedBy', 'ssh.service'), ['ssh']],
    ['required at boot', unit('Install', 'RequiredBy', 'multi-user.target'), ['multi-user.target']],
    ['upheld by a service', unit('Install', 'UpheldBy', 'ssh.service'), ['ssh']],
    ['an alias', unit('Install', 'Alias', 'dbus-org.x.service ssh.service'), ['dbus-org.x', 'ssh']],
    ['units enabled with it', unit('Install', 'Also', 'ssh.socket'), ['ssh.socket']],
    ['sockets that it gets', unit('Service', 'Sockets', 'ssh.socket'), ['ssh.socket']],
    ['the service of its socket', { socket: { ListenStream: 80, Service: 'ssh.service' } }, ['ssh']],
    ['the unit of its timer', { timer: { OnCalendar: 'daily', Unit: 'reboot.target' } }, ['reboot.target']],
    [
      'its own socket and timer',
      {
        ...unit('Unit', 'Requires', 'web.socket web.timer web.service'),
        socket: { ListenStream: 80 },
        timer: { OnCalendar: 'daily' },
      },
      [],
    ],
    ['a socket of its name that it has not declared', unit('Unit', 'Conflicts', 'web.socket'), ['web.socket']],
    ['a timer of its name beside its own socket', { socket: { Service: 'web.timer' } }, ['web.timer']],
    ['an end that affects the host', unit('Unit', 'FailureAction', 'reboot-force'), ['reboot.target']],
    ['an end that affects nothing', unit('Unit', 'SuccessAction', 'none'), []],
    ['units that a mount needs', unit('Unit', 'RequiresMountsFor', '/srv/a-b'), ['srv-a\\x2db.mount']],
    ['a value that is reset', unit('Unit', 'Requires', null), []],
    // As systemd parses it, and as it doesn't.
    ['words in quotes', unit('Unit', 'Conflicts', '"ssh.service" s"s"h2.service'), ['ssh', 'ssh2']],
    ['the end of a line', text('Description=a\rConflicts=ssh.service'), ['ssh']],
    ['two backslashes before it', text('Description=a\\\\\nConflicts=ssh.service'), ['ssh']],
    ['a continued line', text('Conflicts=db.service \\\n# no\n ssh.service'), ['db', 'ssh']],
    ['blanks around =', text('  Conflicts = ssh.service'), ['ssh']],
    ['another section', text('[X-Mine]\nConflicts=ssh.service'), ['ssh']],
    ['no section', { text: 'Conflicts=ssh.service\n[Service]\nExecStart=/bin/true' }, ['ssh']],
    ['a comment', text('# Conflicts=ssh.service\n; Conflicts=ssh.service'), []],
    ['specifiers of its own name', text('Conflicts=%p-old.service %N.service %n'), ['web-old']],
    ['specifiers that only systemd can resolve', text('Conflicts=%H.service'), ['%H']],
    ['another file', text('.include /etc/other'), ['.include /etc/other']],
  ])('%s', (_, config, expected) => {
    expect(touchesOf(config)).toEqual(expected)
  })

  test('spec.process alone names none', () => {
    expect(touchesOf(undefined)).toEqual([])
  })
})

describe('S11: a unit that is no service cannot belong to a facility:', () => {
  test.each([
    'reboot.target',
    'poweroff.target',
    'rescue.target',
    'multi-user.target',
    'srv-data.mount',
    'proc.automount',
    'dev-sda.swap',
    'user.slice',
    'init.scope',
    'dev-sda.device',
    'systemd-reboot',
    'systemd-poweroff',
    'systemd-suspend',
    'emergency',
    'rescue',
    'web-',
    'web-@x',
    'a-.socket',
    'ssh.service',
  ])('%s', name => {
    expect(findNameProblem(name)).toMatch(/^expected /)
  })

  test.each([
    'ssh',
    'ssh.socket',
    'fstrim.timer',
    'cups.path',
    'getty@tty1',
    'a-b',
    'REBOOT.TARGET',
    'reboot.targets',
    'x@y-',
  ])('%s can belong to one', name => {
    expect(findNameProblem(name)).toBeUndefined()
  })
})
