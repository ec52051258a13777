import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isAlive } from '../../src/conformance/lab.ts'
import { takeCensus } from '../random-actions/census.ts'
import type { Choose } from '../random-actions/chooser.ts'
import { type Declarations, type Declared, isNeeded } from '../random-actions/declarations.ts'
import type { StoryHost } from './story-host.ts'

/** What is done to one facility, behind Reeve's back or by a new revision, and what the history has to tell of it. */
export interface StoryAction {
  /** Of those that are there; with `isForAbsent`, of those that aren't. Absent: all. */
  suits?(declared: Declared, stage: Stage): boolean
  /** It is done when this returns. */
  perform(declared: Declared, stage: Stage): void
  /** The entries, as `verb reason`, each once. */
  tells(declared: Declared): readonly string[]
  /** Entries that there may be besides: Reeve may be quicker than a deed of several parts, or systemd quicker than Reeve. */
  mayTell?: readonly string[]
  /** What a step may fail by that begins in the middle of a deed of several parts. */
  mayFailBy?: RegExp
  readonly isForAbsent?: boolean
}

export interface Stage {
  readonly host: StoryHost
  readonly declarations: Declarations
  readonly choose: Choose
  /** Puts a revision in place that has everything as it is declared now. */
  publish(): void
}

const units = '/etc/systemd/system'
const unitOf = ({ name }: Declared): string => `${units}/${name}.service`
const linkOf = ({ name }: Declared): string => `${units}/multi-user.target.wants/${name}.service`
const dropInOf = ({ name }: Declared): string => `${units}/${name}.service.d/limits.conf`
/** Somebody else's, which is to stay. */
export const strangerOf = ({ name }: Pick<Declared, 'name'>): string => `${units}/${name}.service.d/zz-theirs.conf`

/** One in so many has a drop-in of its own. */
const DROP_IN = 4

export function hasDropIn({ name }: Declared): boolean {
  return Number(name.slice(1)) % DROP_IN === 2
}

const isUp = ({ isRunning }: Declared): boolean => isRunning

/** One that is up, writes its file as it ends, and is asked for its health. */
export function isServer({ port, isRunning }: Declared): boolean {
  return port !== undefined && isRunning
}

export const storyActions: Readonly<Record<string, StoryAction>> = {
  'service stopped': {
    suits: isUp,
    // Reeve may start it before systemctl is done with waiting, which it then says.
    perform: ({ name }, { host }) => void host.tell('stop', name),
    tells: () => ['start stopped'],
  },
  'service killed': {
    suits: (declared, stage) => declared.isRunning && findProcess(declared, stage) !== undefined,
    perform(declared, stage) {
      const pid = findProcess(declared, stage)
      if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGKILL')
    },
    // systemd starts it again by itself; while the controller is away, nobody sees it.
    tells: () => [],
    mayTell: ['start stopped', 'start failed', 'restart ended'],
  },
  'service hangs': {
    suits: (declared, stage) => isServer(declared) && findProcess(declared, stage) !== undefined,
    perform(declared, stage) {
      const pid = findProcess(declared, stage)
      if (pid !== undefined) process.kill(pid, 'SIGSTOP')
    },
    tells: () => ['restart unhealthy'],
  },
  'service disabled': {
    suits: ({ isEnabled }) => isEnabled,
    perform: ({ name }, { host }) => void host.systemctl('disable', name),
    tells: () => ['enable enablement-drift'],
  },
  'link deleted': {
    suits: ({ isEnabled }) => isEnabled,
    perform: declared => rmSync(linkOf(declared)),
    tells: () => ['enable enablement-drift'],
  },
  'unit edited': {
    perform: declared => edit(unitOf(declared), 'Restart=always', 'Restart=on-failure'),
    tells: () => ['install definition-drift'],
  },
  'unit deleted': {
    perform: declared => rmSync(unitOf(declared)),
    tells: () => ['install definition-drift'],
    mayTell: ['enable enablement-drift'],
  },
  'stopped, disabled, deleted and reloaded': {
    suits: ({ isRunning, isEnabled }) => isRunning && isEnabled,
    perform(declared, { host }) {
      host.tell('disable', '--now', declared.name)
      rmSync(unitOf(declared), { force: true })
      host.systemctl('daemon-reload')
    },
    tells: () => ['install definition-drift'],
    mayTell: ['install definition-drift', 'enable enablement-drift', 'start stopped', 'start failed'],
    mayFailBy: /Unit (?:file )?\S+ (?:does not exist|not found)/,
  },
  'drop-in edited': {
    suits: hasDropIn,
    perform: declared => edit(dropInOf(declared), '512M', '1G'),
    tells: () => ['install definition-drift'],
  },
  'drop-in deleted': {
    suits: hasDropIn,
    perform: declared => rmSync(dropInOf(declared)),
    tells: () => ['install definition-drift'],
  },
  "somebody else's drop-in": {
    suits: declared => !existsSync(strangerOf(declared)),
    perform(declared, { host }) {
      mkdirSync(`${unitOf(declared)}.d`, { recursive: true })
      writeFileSync(strangerOf(declared), '[Service]\nNice=1\n')
      host.systemctl('daemon-reload')
    },
    tells: () => [],
  },
  'configuration file overwritten, deleted or opened up': {
    suits: ({ file }) => file !== undefined,
    perform({ file }, { choose }) {
      const path = file?.path ?? ''
      const ways = [() => writeFileSync(path, 'meddled\n'), () => rmSync(path), () => chmodSync(path, 0o666)]
      ways[choose(ways.length)]?.()
    },
    tells: () => ['write-file file-drift'],
  },
  'revision: edited': {
    perform: (declared, { declarations, publish }) => {
      declared.mark = declarations.nextMark()
      publish()
    },
    tells: ({ isRunning }) => ['install definition-changed', ...(isRunning ? ['restart definition-changed'] : [])],
  },
  'revision: configuration file edited': {
    suits: ({ file }) => file !== undefined,
    perform: ({ file }, { declarations, publish }) => {
      if (file) file.content = `edited ${declarations.nextMark()}\n`
      publish()
    },
    tells: declared => [
      'write-file file-changed',
      ...(declared.isRunning ? [`${declared.file?.onChange} file-changed`] : []),
      // It writes the old one as it ends.
      ...(isServer(declared) ? ['stop overwritten', 'write-file overwritten', 'start overwritten'] : []),
    ],
  },
  'revision: stopped': toggle('isRunning', false, () => ['stop running']),
  'revision: running again': toggle('isRunning', true, () => ['start stopped']),
  'revision: disabled': toggle('isEnabled', false, () => ['disable enablement']),
  'revision: enabled again': toggle('isEnabled', true, () => ['enable enablement']),
  'revision: gone': toggle('isPresent', false, ({ isRunning, file }) => [
    ...(isRunning ? ['stop pruned'] : []),
    ...(file ? ['remove-file pruned'] : []),
    'remove pruned',
  ]),
  'revision: back': { ...toggle('isPresent', true, tellsOfNew), isForAbsent: true },
}

/** Of a facility that wasn't there before. */
export function tellsOfNew({ isRunning, isEnabled, file }: Declared): readonly string[] {
  return [
    'install new',
    ...(file ? ['write-file new'] : []),
    ...(isEnabled ? ['enable new'] : []),
    ...(isRunning ? ['start new'] : []),
  ]
}

function toggle(
  field: 'isRunning' | 'isEnabled' | 'isPresent',
  value: boolean,
  tells: StoryAction['tells'],
): StoryAction {
  return {
    suits: (declared, { declarations }) =>
      declared[field] !== value && (value || field === 'isEnabled' || !isNeeded(declared, declarations.all)),
    perform(declared, { publish }) {
      declared[field] = value
      publish()
    },
    tells,
  }
}

export function findProcess({ name }: Declared, { host }: Pick<Stage, 'host'>): number | undefined {
  return takeCensus(host.marker).find(found => found.name === name)?.pid
}

function edit(path: string, from: string, to: string): void {
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`expected ${from} in ${path}, found ${text}`)
  writeFileSync(path, text.replace(from, to))
}
