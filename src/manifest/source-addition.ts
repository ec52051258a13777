import { Document, isMap, parseDocument } from 'yaml'
import type { GitUrl } from '../core/model/git-url.ts'
import type { HostConfiguration } from '../core/model/host-configuration.ts'
import type { GitAccess, GitSourceConfiguration } from '../core/model/source-configuration.ts'
import { ReeveError } from '../core/reeve-error.ts'

/** Git repository that a host configuration is to name. Absent fields are left as they are. */
export interface SourceWish {
  readonly url: GitUrl
  readonly branch?: string
  readonly path?: string
  /** Absolute files that were asked for. */
  readonly access: GitAccess
  /** Used where neither the wish nor the host configuration names a file. */
  readonly defaultAccess: GitAccess
  /** File of the keys that sign commits, absolute. */
  readonly signers?: string
}

const fresh = `# Written by reeve bootstrap. \`reeve explain HostConfiguration\` documents all fields.
apiVersion: reeve/v1
kind: HostConfiguration
`

/**
 * Text of the host configuration with the wanted source; the same text if it has that already. What it says stays, comments too: only
 * what is missing is added. `found`: the present text and its meaning. Throws ReeveError `refused` if it names another source.
 */
export function addSource(
  file: string,
  found: { readonly text: string; readonly configuration: HostConfiguration } | undefined,
  wish: SourceWish,
): string {
  const present = found ? expectNoOther(file, found.configuration, wish) : undefined
  const additions = [...findAdditions(present, wish)]
  if (found && additions.length === 0) return found.text
  const { text } = found ?? { text: fresh }
  const document = parseDocument(text, { version: '1.2', schema: 'core' })
  const isAppended = !present && endsOpen(text, document)
  const changed = isAppended ? new Document({}) : document
  for (const [path, value] of additions) changed.setIn(['source', 'git', ...path], value)
  const output = changed.toString({ lineWidth: 0 })
  return isAppended ? `${text}${text.endsWith('\n') ? '' : '\n'}${output}` : output
}

/** True if a field can be added at the end of the text, so that all of the text stays as it is. */
function endsOpen(text: string, { contents }: Document): boolean {
  return isMap(contents) && contents.flow !== true && /^kind:/m.test(text) && !/^\.\.\.\s*$/m.test(text)
}

function* findAdditions(present: GitSourceConfiguration | undefined, wish: SourceWish): Iterable<[string[], string]> {
  const { url, branch, path, access, defaultAccess, signers } = wish
  if (!present) {
    yield [['url'], url.text]
    if (branch !== undefined) yield [['branch'], branch]
    if (path !== undefined) yield [['path'], path]
  }
  for (const name of accessNames) {
    const value = access[name] ?? defaultAccess[name]
    if (value !== undefined && present?.access[name] === undefined) yield [['auth', name], value]
  }
  if (signers !== undefined && !present?.verify) yield [['verify', 'signers'], signers]
}

const accessNames = ['sshKey', 'knownHosts', 'tokenFile', 'ca'] as const

/** The source that the file names already; undefined: it names none. */
function expectNoOther(
  file: string,
  { source, manifests }: HostConfiguration,
  wish: SourceWish,
): GitSourceConfiguration | undefined {
  const refuse = (found: string, remedy: string): ReeveError =>
    new ReeveError('refused', `${file} ${found}, and reeve bootstrap changes no setting that is there: ${remedy}`)
  if (manifests !== undefined || source?.type === 'link') {
    const name = manifests === undefined ? 'source.link' : 'manifests'
    throw refuse(`sets ${name}`, `remove ${name}, and run reeve bootstrap again`)
  }
  if (!source) return undefined
  const { url, wish: reference, path, access, verify } = source
  const settings: readonly (readonly [string, string | undefined, string | undefined])[] = [
    ['url', url.text, wish.url.text],
    ['branch', reference.kind === 'branch' ? reference.name : undefined, wish.branch],
    ['path', path === '' ? undefined : path, wish.path],
    ...accessNames.map(name => [`auth.${name}`, access[name] ?? wish.access[name], wish.access[name]] as const),
    ['verify.signers', verify ? verify.signers.file : wish.signers, wish.signers],
  ]
  for (const [name, now, wanted] of settings) {
    if (wanted === undefined || now === wanted) continue
    throw refuse(
      `has ${now === undefined ? `source.git without ${name}` : `source.git.${name}: ${now}`}, not ${wanted}`,
      'edit the file and run reeve install, or run reeve bootstrap with what the file says',
    )
  }
  return source
}
