import { realpathSync } from 'node:fs'
import type { Settings } from '../../core/contracts/control.ts'
import { createDictionary } from '../../core/dictionary.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { sha256 } from '../../host/sha256.ts'
import type { Session } from './session.ts'
import { spellCommand } from './session-words.ts'

/** Length in characters beyond which a message names only the setting, without its value. */
const LONGEST_SHOWN = 100

/** Length in characters beyond which a digest stands for the value; no path is as long. */
const LONGEST_SENT = 5_000

/** Settings of a session. The directory is left out if it wasn't given and isn't needed: `down` finds facilities on the host. */
export function settingsOf(session: Session, needsDirectory: boolean): Settings {
  const { configuration, directory, hasDirectory, manifests } = session
  const { stateDirectory, owner, defaultSupervisor, removalLimit, policy, providers } = configuration
  const insecurePermissions = manifests.insecurePermissions === true
  const plain = { stateDirectory, owner, defaultSupervisor, removalLimit, policy, providers, insecurePermissions }
  const all = { ...(needsDirectory || hasDirectory ? { manifests: directory } : {}), ...plain }
  return createDictionary(Object.entries(all).map(([name, value]) => [name, shorten(JSON.stringify(value))] as const))
}

/** Replaces a long value by a digest: a policy may be longer than a request. */
function shorten(text: string): string {
  return text.length > LONGEST_SENT ? sha256(text) : text
}

/** Throws ReeveError `refused`, which names each setting that differs. `session`: the controller's. */
export function expectSameSettings(asked: Settings, session: Session): void {
  const own = settingsOf(session, true)
  const names = Object.keys(own).filter(name => Object.hasOwn(asked, name))
  const differing = names.filter(name => !isSame(name, own[name] ?? '', asked[name] ?? ''))
  if (differing.length === 0) return
  const each = differing.map(name => describe(name, own[name] ?? '', asked[name] ?? ''))
  throw new ReeveError(
    'refused',
    `the controller (process ${process.pid}) has other settings than this command: ${each.join('; ')}. ` +
      `Name its own (of apply: \`${spellCommand('apply', session)}\`); or restart the controller, if the host configuration was changed after it had started`,
  )
}

function isSame(name: string, own: string, asked: string): boolean {
  if (own === asked) return true
  return name === 'manifests' && realPath(own) === realPath(asked)
}

/** Real path of a path in JSON, as several may lead to one directory; the text itself if it cannot be resolved. */
function realPath(json: string): string {
  const path: unknown = JSON.parse(json)
  try {
    return realpathSync(String(path))
  } catch {
    return json
  }
}

function describe(name: string, own: string, asked: string): string {
  if (own.length > LONGEST_SHOWN || asked.length > LONGEST_SHOWN) return `${name} differs`
  return `${name} is ${own} there, and ${asked} here`
}
