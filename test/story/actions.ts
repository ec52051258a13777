import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Choose } from '../random-actions/chooser.ts'
import { type Declared, isNeeded } from '../random-actions/declarations.ts'
import { damageFile, editFile, findProcess, isServer, signal } from '../random-actions/facility-changes.ts'
import type { RandomActions } from '../random-actions/run.ts'
import type { Traces } from './history-check.ts'
import type { StoryWorld } from './ledger.ts'

/** Action on one facility, on the host or by a new revision, and the history entries that must follow. */
export interface FacilityAction extends Traces {
  /** Applies to existing facilities; with `isForAbsent`, to absent ones. Absent: all. */
  suits?(declared: Declared, world: StoryWorld): boolean
  /** It is done when this returns. */
  perform(declared: Declared, world: StoryWorld, choose: Choose): void
  readonly isForAbsent?: boolean
}

const units = '/etc/systemd/system'
const unitOf = ({ name }: Declared): string => `${units}/${name}.service`
const linkOf = ({ name }: Declared): string => `${units}/multi-user.target.wants/${name}.service`
const dropInOf = ({ name }: Declared): string => `${units}/${name}.service.d/limits.conf`
/** A stranger's, which is to stay. */
export const strangerOf = ({ name }: Pick<Declared, 'name'>): string => `${units}/${name}.service.d/zz-theirs.conf`

/** One in so many has a drop-in of its own. */
const DROP_IN = 4

export function hasDropIn({ name }: Declared): boolean {
  return Number(name.slice(1)) % DROP_IN === 2
}

const isUp = ({ isRunning }: Declared): boolean => isRunning

const facilityActions: Readonly<Record<string, FacilityAction>> = {
  'service stopped': {
    suits: isUp,
    // Reeve may start it before systemctl has finished waiting, which it then reports.
    perform: ({ name }, { host }) => void host.tell('stop', name),
    tells: () => ['start stopped'],
  },
  'service killed': {
    suits: (declared, { host }) => declared.isRunning && findProcess(declared, host) !== undefined,
    perform: (declared, { host }) => void signal(findProcess(declared, host), 'SIGKILL'),
    // systemd restarts it by itself; while the controller is down, nobody notices.
    tells: () => [],
    mayTell: ['start stopped', 'start failed', 'restart ended'],
  },
  'service hangs': {
    suits: (declared, { host }) => isServer(declared) && findProcess(declared, host) !== undefined,
    perform: (declared, { host }) => void signal(findProcess(declared, host), 'SIGSTOP'),
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
  'service stopped and disabled, its unit deleted, systemd reloaded': {
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
  'drop-in added by somebody else': {
    suits: declared => !existsSync(strangerOf(declared)),
    perform(declared, { host }) {
      mkdirSync(`${unitOf(declared)}.d`, { recursive: true })
      writeFileSync(strangerOf(declared), '[Service]\nNice=1\n')
      host.systemctl('daemon-reload')
    },
    tells: () => [],
  },
  'configuration file overwritten, deleted or made writable by all': {
    suits: ({ file }) => file !== undefined,
    perform: (declared, _world, choose) => damageFile(declared, choose),
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
    perform(declared, { declarations, publish }) {
      editFile(declared, declarations)
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
  'revision: removed': toggle('isPresent', false, ({ isRunning, file }) => [
    ...(isRunning ? ['stop pruned'] : []),
    ...(file ? ['remove-file pruned'] : []),
    'remove pruned',
  ]),
  'revision: added again': { ...toggle('isPresent', true, tellsOfNew), isForAbsent: true },
}

/** To one facility that is as declared, if there is one that it can be done to. */
export const storyActions: RandomActions<StoryWorld> = Object.fromEntries(
  Object.entries(facilityActions).map(([name, action]) => [
    name,
    (world, choose) => {
      const { isForAbsent = false, suits = () => true } = action
      const declared = pickFree(world, choose, one => one.isPresent !== isForAbsent && suits(one, world))
      if (!declared) return 'nothing'
      const began = Date.now()
      action.perform(declared, world, choose)
      world.ledger.note(declared, name, began, action)
      return 'done'
    },
  ]),
)

/** One that is as declared, as far as is known. */
export function pickFree(
  { declarations, ledger, broken }: StoryWorld,
  choose: Choose,
  suits: (declared: Declared) => boolean,
): Declared | undefined {
  const free = declarations.all.filter(one => !ledger.isPending(one) && !broken.has(one) && suits(one))
  return free[choose(free.length)]
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
  tells: Traces['tells'],
): FacilityAction {
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

function edit(path: string, from: string, to: string): void {
  const text = readFileSync(path, 'utf8')
  if (!text.includes(from)) throw new Error(`expected ${from} in ${path}, found ${text}`)
  writeFileSync(path, text.replace(from, to))
}
