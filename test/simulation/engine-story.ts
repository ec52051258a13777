import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { ReeveError } from '../../src/core/reeve-error.ts'
import type { EngineWorld } from './engine-world.ts'

/** What may come about while the controller runs. `at` chooses among what there is; then so many ms go by. */
export interface Turn {
  readonly kind: string
  readonly at: number
  readonly wait: number
}

/** What the manifests say. `steady` never changes, `edited` only in what it runs, `moving` in everything. */
export interface Wanted {
  edited: number
  file: string
  moving: { readonly isPresent: boolean; readonly supervisor: string; readonly state: string; readonly mark: number }
}

type StoryAction = (snapshot: EngineWorld, wanted: Wanted, at: number) => unknown

export function command(mark: number): readonly string[] {
  return ['/bin/sleep', String(mark)]
}

export function declareAll(snapshot: EngineWorld, wanted: Wanted, isNoticed = true): void {
  const { edited, file, moving } = wanted
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
  // Somebody else's service has that name.
  snapshot.declare('taken', { process: { command: command(3) } }, isNoticed)
}

export function settleStrangers(snapshot: EngineWorld): void {
  for (const name of ['taken', 'stranger']) {
    writeFileSync(`${snapshot.directory('alpha')}/${name}.json`, JSON.stringify({ command: ['/bin/theirs'] }))
    snapshot.supervisor.enable(`${snapshot.directory('alpha')}/${name}`, true)
  }
}

/** Those that anybody may meddle with. */
function meddledKey(snapshot: EngineWorld, { moving }: Wanted, at: number): string {
  const places = [
    ['alpha', 'edited'],
    ['alpha', 'waiting'],
    [moving.supervisor, 'moving'],
  ] as const
  const [supervisor, service] = places[at % places.length] ?? places[0]
  return join(snapshot.directory(supervisor), service)
}

function change(part: (wanted: Wanted, at: number) => void): StoryAction {
  return (snapshot, wanted, at) => {
    part(wanted, at)
    declareAll(snapshot, wanted, at % 3 !== 0)
  }
}

function changeMoving(part: (moving: Wanted['moving'], at: number) => Partial<Wanted['moving']>): StoryAction {
  return change((wanted, at) => {
    wanted.moving = { ...wanted.moving, ...part(wanted.moving, at) }
  })
}

const storyActions: Readonly<Record<string, StoryAction>> = {
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

  stop: (snapshot, wanted, at) => snapshot.supervisor.stop(meddledKey(snapshot, wanted, at), at % 2 === 0),
  enable: (snapshot, wanted, at) => {
    const key = meddledKey(snapshot, wanted, at)
    const run = snapshot.supervisor.services.get(key)
    if (run) snapshot.supervisor.enable(key, !run.enabled)
  },
  'delete a definition': (snapshot, wanted, at) => rmSync(`${meddledKey(snapshot, wanted, at)}.json`, { force: true }),
  'edit a definition': (snapshot, wanted, at) => {
    const path = `${meddledKey(snapshot, wanted, at)}.json`
    if (existsSync(path)) writeFileSync(path, readFileSync(path, 'utf8').replace('/bin/sleep', '/bin/meddled'))
  },
  'delete the file': snapshot => rmSync(snapshot.path('waiting'), { force: true }),

  'lose hints': ({ meddled }) => {
    meddled.hints = 'lost'
  },
  'double hints': ({ meddled }) => {
    meddled.hints = 'doubled'
  },
  'reorder hints': ({ meddled }) => {
    meddled.hints = 'late'
  },
  'serve stale reads': ({ meddled }, _wanted, at) => {
    meddled.stale = 1 + (at % 5)
  },
  'claim to act': ({ meddled }) => {
    meddled.actions = 'ignored'
  },
  'deny acting': ({ meddled }) => {
    meddled.actions = 'denied'
  },
  'refuse to act': ({ meddled }) => {
    meddled.before = () => Promise.reject(new ReeveError('failed', 'not now'))
  },
  'act late': ({ meddled, clock }, _wanted, at) => {
    meddled.before = () => clock.sleep(at * 200)
  },
  'answer late': ({ meddled, clock }, _wanted, at) => {
    meddled.look = () => clock.sleep(at * 1_000)
  },
  'not answer': ({ supervisor }) => {
    supervisor.isAvailable = false
  },
  'know nothing of a service': ({ meddled }, _wanted, at) => {
    const service = ['steady', 'edited', 'moving'][at % 3]
    meddled.bend = observed =>
      observed.service === service
        ? { service, state: 'unknown', enabled: 'unknown', supervised: false, message: 'no idea' }
        : observed
  },
  'say that all has stopped': ({ meddled }) => {
    meddled.bend = ({ pid: _pid, loaded: _loaded, ...observed }) =>
      observed.state === 'running' ? { ...observed, state: 'stopped' } : observed
  },
  'behave for a while': snapshot => endFaults(snapshot),
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

export async function take({ kind, at, wait }: Turn, snapshot: EngineWorld, wanted: Wanted): Promise<void> {
  await storyActions[kind]?.(snapshot, wanted, at)
  await snapshot.clock.advance(wait)
}

export const stories: fc.Arbitrary<readonly Turn[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...Object.keys(storyActions)),
    at: fc.nat({ max: 20 }),
    wait: fc.constantFrom(0, 7, 60, 700, 3_000, 45_000),
  }),
  { minLength: 3, maxLength: 20 },
)
