import { spawnSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { processProvider } from '../../providers/process/index.ts'
import { systemdProvider } from '../../providers/systemd/index.ts'
import { createEngineLab, type EngineLab, type EngineLabOptions, type Spec } from '../labs/engine-lab.ts'
import { createGitLab } from '../labs/git-lab.ts'
import { followerOf, openRolloutLab, type RolloutLab, type RolloutRules } from '../labs/rollout-lab.ts'
import { systemHarness } from './harness.ts'

/** Host of one test on this machine's own systemd; everything it leaves there is removed. */
export interface SystemdLab extends EngineLab {
  /** Declares a facility of systemd. */
  declareUnit(name: string, spec: Spec): void
  /** Writes a unit as somebody else would: a package, or by default an administrator. */
  place(unit: string, text: string, directory?: string): void
}

export async function createSystemdLab(options: EngineLabOptions = {}): Promise<SystemdLab> {
  const lab = createEngineLab({ providers: [processProvider, systemdProvider], ...options })
  const supervisor = await systemHarness.setUp(lab.path('systemd'))
  const { [Symbol.asyncDispose]: dispose, ...rest } = lab
  return {
    ...rest,
    declareUnit: (name, spec) => lab.declare(name, { supervisor: 'systemd', ...spec }),
    place(unit, text, directory = '/etc/systemd/system') {
      writeFileSync(join(directory, unit), text)
      systemctl('daemon-reload')
    },
    async [Symbol.asyncDispose]() {
      await dispose.call(lab)
      await supervisor.tearDown()
    },
  }
}

/** The same for a host that follows a repository. */
export async function createSystemdRolloutLab(rollout: RolloutRules = {}): Promise<RolloutLab> {
  const git = createGitLab()
  return openRolloutLab(git, await createSystemdLab(followerOf(git, rollout)))
}

/** Returns the output, whatever the exit code. */
export function systemctl(...args: string[]): string {
  return spawnSync('systemctl', args, { encoding: 'utf8' }).stdout.trim()
}

/** Directories of queries that are running, or were not cleaned up. */
export function queryDirectories(): string[] {
  return readdirSync('/run').filter(name => name.startsWith('reeve-query-'))
}

/** Property of a unit, as systemctl shows it. */
export function property(unit: string, name: string): string {
  return systemctl('show', '--value', '--property', name, unit)
}
