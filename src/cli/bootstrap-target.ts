import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { diffText } from '../core/text/diff-text.ts'
import type { SshFiles } from '../engine/bootstrap/access-files.ts'
import { findHostConfigurationFile, loadHostConfiguration } from '../manifest/host-configuration-file.ts'
import { addSource, type SourceWish } from '../manifest/source-addition.ts'
import type { CommandContext } from './context.ts'

/** The host configuration as it is, and as it is to be. */
export interface BootstrapTarget {
  readonly file: string
  /** Undefined: there is no file. */
  readonly before: string | undefined
  readonly text: string
  readonly wish: SourceWish
}

/** Throws ReeveError `refused` if the host configuration names another source, and what `loadHostConfiguration` throws. */
export function readTarget({ io, globals }: CommandContext, wish: SourceWish): BootstrapTarget {
  const settings = {
    ...(globals.config !== undefined && { file: resolve(io.cwd, globals.config) }),
    env: io.env,
    userId: process.geteuid?.() ?? 0,
    insecurePermissions: globals.insecurePermissions,
  }
  const file = resolve(io.cwd, findHostConfigurationFile(settings))
  if (!existsSync(file)) return { file, before: undefined, text: addSource(file, undefined, wish), wish }
  const configuration = loadHostConfiguration(settings)
  const before = readFileSync(file, 'utf8')
  return { file, before, text: addSource(file, { text: before, configuration }, wish), wish }
}

/** What would be written, for `--dry-run`. */
export function targetText({ file, before, text, wish }: BootstrapTarget, ssh: SshFiles | undefined): string {
  const lines: string[] = []
  if (ssh) {
    const { sshKey, knownHosts } = ssh
    lines.push(existsSync(sshKey) ? `The deploy key is ${sshKey}.` : `A deploy key would be made: ${sshKey}.`)
    if (!existsSync(knownHosts)) {
      lines.push(`The host key of ${wish.url.host} would be recorded in ${knownHosts}, once trusted.`)
    }
  }
  if (before === text) lines.push(`${file} would stay as it is.`)
  else {
    const content = (value: string | undefined) => ({ content: value === undefined ? undefined : Buffer.from(value) })
    lines.push(`${file} would be written:`, '', diffText(file, content(before), content(text)))
  }
  return lines.map(line => `${line}\n`).join('')
}
