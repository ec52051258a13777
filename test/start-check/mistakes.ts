import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FacilitySpec } from '../../src/conformance/lab.ts'

/** Mistake that keeps a service from starting, made and corrected in a directory of the test, which everybody may enter. */
export interface Mistake {
  readonly name: string
  /** The service with it. */
  make(directory: string): FacilitySpec
  /** The service as it is to run in the end. Absent: that of `make`, once `mend` has corrected it. */
  instead?(directory: string): FacilitySpec
  mend?(directory: string): void
  /** Message of Reeve; the supervisor's may differ, but contains the `culprit`. */
  readonly told: RegExp
  readonly culprit: RegExp
  /** Provider whose supervisor ignores it. */
  readonly isForgivenBy?: string
  /** Only root can make it. */
  readonly isOfUsers?: boolean
}

const seconds = '1000000'
const user = 'nobody'

/** The service before the mistake. */
export const healthy: FacilitySpec = { process: { command: ['/bin/sleep', seconds], workingDirectory: '/' } }

const other = { command: ['/bin/sleep', `${seconds}1`] }

export const mistakes: readonly Mistake[] = [
  {
    name: 'a program that is not there',
    make: () => ({ process: { command: ['/usr/bin/sleeep', seconds] } }),
    instead: () => ({ process: other }),
    told: /there is no program \/usr\/bin\/sleeep/,
    culprit: /sleeep/,
  },
  {
    name: 'a name that no directory of PATH has',
    make: () => ({ process: { command: ['sleeep', seconds] } }),
    instead: () => ({ process: other }),
    told: /there is no program sleeep in \/usr\/local\/sbin:/,
    culprit: /sleeep/,
  },
  {
    name: 'a directory in the place of the program',
    make: () => ({ process: { command: ['/usr/bin', seconds] } }),
    instead: () => ({ process: other }),
    told: /\/usr\/bin is a directory, not a program/,
    culprit: /\/usr\/bin/,
  },
  {
    name: 'a program that is not executable',
    make: directory => ({ process: { command: [script(directory, 'run', '#!/bin/sh\n', 0o644)] } }),
    mend: directory => chmodSync(join(directory, 'run'), 0o755),
    told: /run \(owner 0, group 0, mode 0644\) is not executable/,
    culprit: /\/run/,
  },
  {
    name: 'a program that the user may not execute',
    make: directory => ({ process: { command: [script(directory, 'run', '#!/bin/sh\n', 0o750)], user } }),
    mend: directory => chmodSync(join(directory, 'run'), 0o755),
    told: /user nobody cannot execute .*run \(owner 0, group 0, mode 0750\)/,
    culprit: /\/run/,
    isOfUsers: true,
  },
  {
    name: 'an interpreter that is not there',
    make: directory => ({ process: { command: [script(directory, 'run', '#!/usr/bin/shh -e\n', 0o755)] } }),
    mend: directory => void script(directory, 'run', '#!/bin/sh\n', 0o755),
    told: /run cannot be executed, as its first line asks for an interpreter: there is no program \/usr\/bin\/shh/,
    culprit: /\/run/,
  },
  {
    name: 'an interpreter that env does not find',
    make: directory => ({ process: { command: [script(directory, 'run', '#!/usr/bin/env shh\n', 0o755)] } }),
    mend: directory => void script(directory, 'run', '#!/usr/bin/env sh\n', 0o755),
    told: /run cannot be executed, .*: there is no program shh in /,
    culprit: /\/run/,
  },
  {
    name: 'a user who does not exist',
    make: () => ({ process: { ...other, user: 'no-such-user' } }),
    instead: () => ({ process: { ...other, user } }),
    told: /there is no user no-such-user on this host/,
    culprit: /no-such-user/,
    isOfUsers: true,
  },
  {
    name: 'a group that does not exist',
    make: () => ({ process: { ...other, user, group: 'no-such-group' } }),
    instead: () => ({ process: { ...other, user } }),
    told: /there is no group no-such-group on this host/,
    culprit: /no-such-group/,
    isOfUsers: true,
  },
  {
    name: 'a working directory that is not there',
    make: directory => ({ process: { ...other, workingDirectory: join(directory, 'work') } }),
    mend: directory => mkdirSync(join(directory, 'work')),
    told: /there is no working directory .*\/work/,
    culprit: /\/work/,
  },
  {
    name: 'a working directory that the user may not enter',
    make(directory) {
      mkdirSync(join(directory, 'work'), { mode: 0o700, recursive: true })
      return { process: { ...other, user, workingDirectory: join(directory, 'work') } }
    },
    mend: directory => chmodSync(join(directory, 'work'), 0o755),
    told: /user nobody cannot enter the working directory .*\/work: .*\(owner 0, group 0, mode 0700\) is closed/,
    culprit: /\/work/,
    isOfUsers: true,
  },
  {
    name: 'a secret that is not there',
    make: directory => ({ process: { ...other, environment: { TOKEN: { fromFile: join(directory, 'token') } } } }),
    mend: directory => writeFileSync(join(directory, 'token'), 'hunter2\n'),
    told: /there is no file .*\/token for the secret of variable TOKEN/,
    culprit: /\/token/,
  },
  {
    name: 'an environment file that is not there',
    make: directory => ({ process: { ...other, environmentFiles: [join(directory, 'env')] } }),
    mend: directory => writeFileSync(join(directory, 'env'), 'A=1\n'),
    told: /there is no environment file .*\/env/,
    culprit: /\/env/,
  },
  {
    name: 'an environment file that cannot be read as one',
    make(directory) {
      writeFileSync(join(directory, 'env'), 'A=1\nhunter2\n')
      return { process: { ...other, environmentFiles: [join(directory, 'env')] } }
    },
    mend: directory => writeFileSync(join(directory, 'env'), 'A=1\n'),
    isForgivenBy: 'systemd',
    told: /expected KEY=value in line 2 of .*\/env/,
    culprit: /\/env/,
  },
  {
    name: "an environment file in the user's own directory that cannot be read as one",
    make(directory) {
      const home = join(directory, 'home')
      mkdirSync(home, { recursive: true })
      chownSync(home, 65_534, 65_534)
      writeFileSync(join(home, 'env'), 'A=1\nhunter2\n')
      chownSync(join(home, 'env'), 65_534, 65_534)
      return { process: { ...other, user, environmentFiles: [join(home, 'env')] } }
    },
    mend: directory => writeFileSync(join(directory, 'home/env'), 'A=1\n'),
    told: /expected KEY=value in line 2 of .*\/env/,
    culprit: /\/env/,
    isOfUsers: true,
  },
  {
    name: 'a directory for its output that is not there',
    make: directory => ({ process: { ...other, output: { file: join(directory, 'logs/web.log') } } }),
    mend: directory => mkdirSync(join(directory, 'logs')),
    told: /there is no directory .*\/logs for the output/,
    culprit: /\/logs/,
  },
]

const unit = (keys: object): FacilitySpec => ({ process: other, config: { systemd: { unit: { Service: keys } } } })
const text = (lines: string): FacilitySpec => ({
  config: { systemd: { text: `[Service]\n${lines}\n[Install]\nWantedBy=multi-user.target\n` } },
})

/** In native configuration of systemd. */
export const systemdMistakes: readonly Mistake[] = [
  {
    name: 'a whole unit with a program that is not there',
    make: () => text('ExecStart=/usr/bin/sleeep 1000000'),
    instead: () => text('ExecStart=/usr/bin/sleep 1000000'),
    told: /there is no program \/usr\/bin\/sleeep/,
    culprit: /sleeep/,
  },
  {
    name: 'a user who does not exist, laid over the unit',
    make: () => unit({ User: 'no-such-user' }),
    instead: () => unit({ User: user }),
    told: /there is no user no-such-user on this host/,
    culprit: /no-such-user/,
  },
  {
    name: 'a further group that does not exist',
    make: () => unit({ SupplementaryGroups: 'daemon no-such-group' }),
    instead: () => unit({ SupplementaryGroups: 'daemon' }),
    told: /there is no group no-such-group on this host/,
    culprit: /no-such-group/,
  },
  {
    name: 'an environment file and a directory that are not there, in the unit',
    make: directory => unit({ EnvironmentFile: join(directory, 'env'), WorkingDirectory: join(directory, 'work') }),
    mend(directory) {
      mkdirSync(join(directory, 'work'))
      writeFileSync(join(directory, 'env'), 'A=1\n')
    },
    told: /there is no working directory .*\/work; there is no environment file .*\/env/,
    culprit: /\/env/,
  },
  {
    name: 'a secret, and a root directory in which there is no shell for it',
    make: directory => inRoot(directory, ['/bin/sleep', '/lib', '/lib64', '/usr/lib']),
    instead: directory => inRoot(directory, ['/bin', '/lib', '/lib64', '/usr']),
    told: /there is no shell .*\/root\/bin\/sh: Reeve's wrapper needs it .* RootDirectory=.*\/root has none/,
    culprit: /EXEC/,
  },
]

function inRoot(directory: string, bound: readonly string[]): FacilitySpec {
  const [RootDirectory, fromFile] = [join(directory, 'root'), join(directory, 'token')]
  mkdirSync(join(RootDirectory, 'bin'), { recursive: true })
  writeFileSync(fromFile, 'hunter2')
  const Service = { RootDirectory, MountAPIVFS: true, BindReadOnlyPaths: bound }
  return {
    process: { command: ['/bin/sleep', seconds], environment: { TOKEN: { fromFile } } },
    config: { systemd: { unit: { Service } } },
  }
}

/** In native configuration of a supervisor of scan directories. */
export function listScanMistakes(type: string): readonly Mistake[] {
  const native = (first: string): FacilitySpec => ({ config: { [type]: { run: `${first}\nexec sleep 1000000\n` } } })
  return [
    {
      name: 'a script of its own with an interpreter that is not there',
      make: () => native('#!/usr/bin/shh'),
      instead: () => native('#!/bin/sh'),
      told: /its script cannot be executed, .*: there is no program \/usr\/bin\/shh/,
      culprit: /shh/,
    },
  ]
}

function script(directory: string, name: string, first: string, mode: number): string {
  const path = join(directory, name)
  rmSync(path, { force: true })
  writeFileSync(path, `${first}exec sleep ${seconds}\n`)
  chmodSync(path, mode)
  return path
}
