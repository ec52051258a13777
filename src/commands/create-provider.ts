import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { ExitCode } from '../cli/command-io.ts'
import type { CommandContext } from '../cli/context.ts'
import { ReeveError } from '../core/reeve-error.ts'
import { errnoOf } from '../host/failure.ts'
import { packageDirectory, readPackageVersion } from '../host/package-version.ts'

export interface CreateProviderOptions {
  readonly type?: string
}

/** What the template calls its type, in code and prose. */
const templateType = /\bpidfile\b/g

/** Stands in the template where the new directory is meant. */
const templatePlace = '/path/to/provider'

/** Writes a provider that works, for its author to go on from. It writes into no directory that has anything in it. */
export async function createProvider(
  context: CommandContext,
  directory: string,
  options: CreateProviderOptions,
): Promise<ExitCode> {
  const target = resolve(context.io.cwd, directory)
  const type = options.type ?? basename(target).replace(/^reeve-provider-/, '')
  await checkType(type)
  makeEmpty(target)
  const root = packageDirectory()
  const template = join(root, 'providers/template')
  for (const file of readdirSync(template, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue
    const path = join(file.parentPath, file.name)
    const text = readFileSync(path, 'utf8').replace(templateType, type).replaceAll(templatePlace, target)
    write(join(target, path.slice(template.length)), text)
  }
  write(join(target, 'package.json'), `${JSON.stringify(describePackage(type, root), undefined, 2)}\n`)
  mkdirSync(join(target, 'example/run'))
  // So that it runs before anything is installed; `npm install` makes the same link.
  mkdirSync(join(target, 'node_modules'))
  symlinkSync(root, join(target, 'node_modules/reeve'))
  context.out.write(`Created a provider of type ${type} in ${target}. It works as it is:\n\n`)
  context.out.write(`  cd ${directory}\n  npm test\n\nREADME.md there says how to run it, and how to make it yours.\n`)
  return 0
}

async function checkType(type: string): Promise<void> {
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(type)) {
    const expected = 'expected a type of lower-case letters, digits and -, beginning with a letter'
    throw new ReeveError('usage', `${expected}, found ${JSON.stringify(type)}; name one with --type`)
  }
  const { loadOwnProviders } = await import('../engine/session/provider-loading.ts')
  if (!(await loadOwnProviders()).has(type)) return
  throw new ReeveError('usage', `Reeve has a provider of type ${type} already; name another type with --type`)
}

function makeEmpty(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true })
    const [found] = readdirSync(directory)
    if (found === undefined) return
    throw new ReeveError('refused', `${directory} is not empty, it has ${found} in it; name a new directory`)
  } catch (error) {
    const code = errnoOf(error)
    if (code !== 'EEXIST' && code !== 'ENOTDIR') throw error
    throw new ReeveError('refused', `${directory} is no directory; name a new one`, { cause: error })
  }
}

/** As root, a provider that others can write isn't loaded, whatever the umask. */
function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  writeFileSync(path, text)
  chmodSync(path, 0o644)
}

function describePackage(type: string, root: string): object {
  return {
    name: `reeve-provider-${type}`,
    version: '0.1.0',
    type: 'module',
    exports: './provider.mjs',
    scripts: { test: 'node --test provider.test.mjs' },
    peerDependencies: { reeve: `^${readPackageVersion()}` },
    devDependencies: { reeve: `file:${root}` },
  }
}
