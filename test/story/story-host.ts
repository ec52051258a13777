import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { ReeveError } from '../../src/core/reeve-error.ts'
import { type HistoryEntry, readHistory } from '../../src/engine/session/history.ts'
import { controlSocketPath, openSession } from '../../src/engine/session/session.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { connectControl } from '../../src/server/control-client.ts'
import type { Snapshot } from '../random-actions/world-check.ts'
import { type PlacedPackage, placePackage } from '../systemd-lab/package.ts'
import { findFreePort } from '../tools/free-port.ts'

/** Machine with systemd on which Reeve is to be installed, as its administrator has it. */
export interface StoryHost extends Snapshot {
  readonly reeve: PlacedPackage['reeve']
  /** Manifests of the controller: a link to the newest revision. */
  readonly manifests: string
  /** Directory for configuration files of services. */
  readonly files: string
  /** Ports for the servers. */
  readonly ports: readonly number[]
  /**
   * Puts another revision in place as git-sync does: complete beside the old one, then the link at once; the old one is
   * removed.
   */
  publish(texts: ReadonlyMap<string, string>): void
  history(): HistoryEntry[]
  /** Returns its output; throws unless it succeeds. */
  systemctl(...args: string[]): string
  /** Like `systemctl`, for commands that may fail because Reeve is quicker. */
  tell(...args: string[]): void
}

const root = '/srv/git'
const link = `${root}/current`
const installed = '/opt/reeve'
const configuration = '/etc/reeve/reeve.yaml'

/** Leftovers of a story that failed. */
function clearAway(directories: readonly string[]): void {
  if (!existsSync(installed)) return
  for (const command of ['uninstall', 'down']) {
    spawnSync(process.execPath, [`${installed}/dist/reeve.cjs`, command, '--yes'], { cwd: '/' })
  }
  for (const directory of [installed, ...directories]) rmSync(directory, { recursive: true, force: true })
}

export async function createStoryHost(): Promise<StoryHost> {
  const files = '/srv/files'
  clearAway([root, files, '/etc/reeve', '/var/lib/reeve'])
  for (const directory of [root, files, '/etc/reeve']) mkdirSync(directory)
  const settings = { apiVersion: 'reeve/v1', kind: 'HostConfiguration', defaultSupervisor: 'systemd', resync: '1h' }
  writeFileSync(configuration, JSON.stringify({ ...settings, manifests: link }))
  const { reeve } = placePackage(installed)
  const session = await openSession()
  const host = createReadHost()
  let revision = 0
  return {
    reeve,
    manifests: link,
    files,
    ports: [await findFreePort(), await findFreePort(), await findFreePort()],
    marker: 'story',
    session,
    async control() {
      const found = await connectControl(controlSocketPath(session.configuration), session.clock)
      if (!found) throw new ReeveError('unavailable', 'the controller does not answer')
      return found
    },
    publish(texts) {
      revision += 1
      const name = `revision-${revision}`
      mkdirSync(`${root}/${name}`)
      for (const [file, text] of texts) writeFileSync(`${root}/${name}/${file}`, text)
      symlinkSync(name, `${root}/next`)
      renameSync(`${root}/next`, link)
      rmSync(`${root}/revision-${revision - 1}`, { recursive: true, force: true })
    },
    history: () => readHistory(session.configuration.stateDirectory, host),
    tell: (...args) => void spawnSync('systemctl', args),
    systemctl(...args) {
      const { status, stdout, stderr } = spawnSync('systemctl', args, { encoding: 'utf8' })
      if (status !== 0) throw new Error(`systemctl ${args.join(' ')} gave ${status}: ${stderr}`)
      return stdout.trim()
    },
  }
}
