import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Arbitrary } from 'fast-check'
import { ReeveError } from '../../src/core/reeve-error.ts'
import type { Choose } from '../random-actions/chooser.ts'
import type { RandomActions } from '../random-actions/run.ts'
import { type Turn, turnsOf } from '../random-actions/turns.ts'
import type { EngineWorld } from './engine-world.ts'

/** State of the manifests. `steady` never changes, `edited` only in its command, `moving` in everything. */
export interface Wanted {
  edited: number
  file: string
  moving: { readonly isPresent: boolean; readonly supervisor: string; readonly state: string; readonly mark: number }
}

/** A world with manifests that say so. */
export interface MisledWorld extends EngineWorld {
  readonly wanted: Wanted
}

type StoryAction = RandomActions<MisledWorld>[string]

export function command(mark: number): readonly string[] {
  return ['/bin/sleep', String(mark)]
}

export function declareAll(snapshot: MisledWorld, isNoticed = true): void {
  const { edited, file, moving } = snapshot.wanted
  snapshot.declare('steady', { process: { command: command(1) } }, isNoticed)
  snapshot.declare('edited', { process: { command: command(edited) } }, isNoticed)
  const files = [{ path: snapshot.path('waiting'), content: file }]
  snapshot.declare('waiting', { process: { command: command(2) }, files, dependsOn: ['edited'] }, isNoticed)
  const { isPresent, supervisor, state, mark } = moving
  snapshot.declare(
    'moving',
    isPresent ? { supervisor, state, process: { command: command(mark) } } : undefined,
    isNoticed,
  )
  // A stranger's service has that name.
  snapshot.declare('taken', { process: { command: command(3) } }, isNoticed)
}

export function settleStrangers(snapshot: EngineWorld): void {
  for (const name of ['taken', 'stranger']) {
    writeFileSync(`${snapshot.directory('alpha')}/${name}.json`, JSON.stringify({ command: ['/bin/theirs'] }))
    snapshot.supervisor.enable(`${snapshot.directory('alpha')}/${name}`, true)
  }
}

/** Facilities that may be disturbed. */
function meddledKey(snapshot: MisledWorld, choose: Choose): string {
  const { moving } = snapshot.wanted
  const places = [
    ['alpha', 'edited'],
    ['alpha', 'waiting'],
    [moving.supervisor, 'moving'],
  ] as const
  const [supervisor, service] = places[choose(places.length)] ?? places[0]
  return join(snapshot.directory(supervisor), service)
}

function change(part: (wanted: Wanted, at: number) => void): StoryAction {
  return (snapshot, choose) => {
    part(snapshot.wanted, choose(21))
    declareAll(snapshot, choose(3) !== 0)
  }
}

function changeMoving(part: (moving: Wanted['moving'], at: number) => Partial<Wanted['moving']>): StoryAction {
  return change((wanted, at) => {
    wanted.moving = { ...wanted.moving, ...part(wanted.moving, at) }
  })
}

/** What may be wrong with a supervisor; it lasts till all is over. */
export const fewerFaults: RandomActions<EngineWorld> = {
  'lose hints': ({ meddled }) => {
    meddled.hints = 'lost'
  },
  'double hints': ({ meddled }) => {
    meddled.hints = 'doubled'
  },
  'deny acting': ({ meddled }) => {
    meddled.actions = 'denied'
  },
  'act late': ({ meddled, clock }, choose) => {
    const late = choose(21) * 200
    meddled.before = () => clock.sleep(late)
  },
  'not answer': ({ supervisor }) => {
    supervisor.isAvailable = false
  },
  'behave for a while': snapshot => endFaults(snapshot),
}

export const misleadingActions: RandomActions<MisledWorld> = {
  ...fewerFaults,
  'edit the command': change((wanted, at) => {
    wanted.edited = 10 + at
  }),
  'edit the file': change((wanted, at) => {
    wanted.file = `${at}\n`
  }),
  move: changeMoving(({ supervisor }) => ({ supervisor: supervisor === 'alpha' ? 'beta' : 'alpha' })),
  vanish: changeMoving(({ isPresent }) => ({ isPresent: !isPresent })),
  'declare stopped': changeMoving(({ state }) => ({ state: state === 'running' ? 'stopped' : 'running' })),
  'edit what moves': changeMoving((_moving, at) => ({ mark: 40 + at })),

  stop: (snapshot, choose) => snapshot.supervisor.stop(meddledKey(snapshot, choose), choose(2) === 0),
  enable: (snapshot, choose) => {
    const key = meddledKey(snapshot, choose)
    const run = snapshot.supervisor.services.get(key)
    if (run) snapshot.supervisor.enable(key, !run.enabled)
  },
  'delete a definition': (snapshot, choose) => rmSync(`${meddledKey(snapshot, choose)}.json`, { force: true }),
  'edit a definition': (snapshot, choose) => {
    const path = `${meddledKey(snapshot, choose)}.json`
    if (existsSync(path)) writeFileSync(path, readFileSync(path, 'utf8').replace('/bin/sleep', '/bin/meddled'))
  },
  'delete the file': snapshot => rmSync(snapshot.path('waiting'), { force: true }),

  'reorder hints': ({ meddled }) => {
    meddled.hints = 'late'
  },
  'serve stale reads': ({ meddled }, choose) => {
    meddled.stale = 1 + choose(5)
  },
  'claim to act': ({ meddled }) => {
    meddled.actions = 'ignored'
  },
  'refuse to act': ({ meddled }) => {
    meddled.before = () => Promise.reject(new ReeveError('failed', 'not now'))
  },
  'answer late': ({ meddled, clock }, choose) => {
    const late = choose(21) * 1_000
    meddled.look = () => clock.sleep(late)
  },
  'know nothing of a service': ({ meddled }, choose) => {
    const service = ['steady', 'edited', 'moving'][choose(3)]
    meddled.bend = observed =>
      observed.service === service
        ? { service, state: 'unknown', enabled: 'unknown', supervised: false, message: 'no idea' }
        : observed
  },
  'say that all has stopped': ({ meddled }) => {
    meddled.bend = ({ pid: _pid, loaded: _loaded, ...observed }) =>
      observed.state === 'running' ? { ...observed, state: 'stopped' } : observed
  },
}

export function endFaults({ meddled, supervisor }: EngineWorld): void {
  meddled.hints = 'kept'
  meddled.stale = 0
  meddled.actions = 'done'
  meddled.before = () => {}
  meddled.look = () => {}
  meddled.bend = observed => observed
  supervisor.isAvailable = true
}

export const stories: Arbitrary<readonly Turn[]> = turnsOf(
  Object.keys(misleadingActions),
  [0, 7, 60, 700, 3_000, 45_000],
  20,
)
