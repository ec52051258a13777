import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import type { Declared } from '../random-actions/declarations.ts'
import { strangerOf } from './actions.ts'
import type { Done } from './history-check.ts'
import type { StoryHost } from './story-host.ts'

const units = '/etc/systemd/system'

/** A service that Reeve doesn't manage. */
export interface Bystander {
  readonly unit: string
  readonly pid: string
}

export function placeBystander({ systemctl }: StoryHost): Bystander {
  const unit = 'bystander.service'
  writeFileSync(`${units}/${unit}`, '[Service]\nExecStart=/bin/sleep 1000000\n')
  systemctl('daemon-reload')
  systemctl('start', unit)
  return { unit, pid: systemctl('show', '--value', '--property=MainPID', unit) }
}

/** Units that shouldn't exist, and units that are missing. */
export function findLeftovers(
  all: readonly Declared[],
  done: readonly Done[],
  { unit, pid }: Bystander,
  { systemctl }: StoryHost,
): string[] {
  const problems: string[] = []
  if (systemctl('show', '--value', '--property=MainPID', unit) !== pid) problems.push('the bystander was touched')
  const expected = new Set([unit, 'reeve.service'])
  for (const { name, isPresent } of all) if (isPresent) expected.add(`${name}.service`)
  for (const name of readdirSync(units)) {
    // dbus-org.freedesktop.login1.service and the like are the image's.
    if (!/\.service$|^\.|~$|\.tmp$/.test(name) || name.startsWith('dbus-')) continue
    if (!expected.delete(name)) problems.push(`left over: ${name}`)
  }
  for (const name of expected) problems.push(`not there: ${name}`)
  for (const { facility, action } of done) {
    if (action !== 'drop-in added by somebody else' || existsSync(strangerOf({ name: facility }))) continue
    problems.push(`somebody else's drop-in of ${facility} was removed`)
  }
  return problems
}
