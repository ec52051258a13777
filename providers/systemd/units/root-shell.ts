import { join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { StartNeeds } from '../../../src/core/model/start-needs.ts'
import { isWrapped } from '../../posix/exec-wrapper.ts'
import { splitWords } from './command-line.ts'

type Keys = Readonly<Record<string, readonly string[]>>

/** Settings with which the contents of a service's root are unknown. */
const unknownRoots = ['RootImage', 'MountImages', 'ExtensionImages', 'ExtensionDirectories']

/** Settings whose mounts could contain the shell. */
const shellPlaces = ['/', '/bin', '/bin/sh', '/usr', '/usr/bin', '/usr/bin/sh']

/**
 * The exec wrapper that brings a service its secrets and environment files is run by the shell in its root directory.
 * Returns the shell as a start need if it is certainly missing; `root` is where that directory is on the host.
 */
export function findRootShell(
  service: Keys,
  root: string | undefined,
  host: ReadHost,
): NonNullable<StartNeeds['files']> {
  const isUnknown = root === undefined || unknownRoots.some(key => service[key]?.length)
  if (
    isUnknown ||
    !isWrapped(splitWords(service.ExecStart?.[0]?.replace(/^[-@:+!|]*/, '') ?? '')) ||
    bringsShell(service)
  )
    return []
  // A link in there leads elsewhere than on the host.
  if (shellPlaces.some(place => place.endsWith('/sh') && host.facts(join(root, place)))) return []
  const remedy =
    `Reeve's wrapper needs it for secrets, environment files and output that the service's user opens, and RootDirectory=${root} has none; ` +
    'put a shell there, or use LoadCredential= and EnvironmentFile= in config.systemd in place of these'
  return [{ what: 'shell', path: join(root, '/bin/sh'), remedy }]
}

/** `[+-]SOURCE[:DESTINATION[:OPTIONS]]`; of TemporaryFileSystem=, `PATH[:OPTIONS]`, which is empty. */
function bringsShell({ BindPaths = [], BindReadOnlyPaths = [], TemporaryFileSystem = [] }: Keys): boolean {
  const bound = [...BindPaths, ...BindReadOnlyPaths, ...TemporaryFileSystem].flatMap(value => splitWords(value))
  return bound.some(word => {
    const [source = '', destination = source] = word.replace(/^[-+]*/, '').split(':')
    return [source, destination].some(path => shellPlaces.includes(path.replace(/(.)\/+$/, '$1')))
  })
}
