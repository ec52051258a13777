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

type Deed = (world: EngineWorld, wanted: Wanted, at: number) => unknown

export function command(mark: number): readonly string[] {
  return ['/bin/sleep', String(mark)]
}

export function declareAll(world: EngineWorld, wanted: Wanted, isNoticed = true): void {
  const { edited, file, moving } = wanted
  world.declare('steady', { process: { command: command(1) } }, isNoticed)
  world.declare('edited', { process: { command: command(edited) } }, isNoticed)
  const files = [{ path: world.path('waiting'), content: file }]
  world.declare('waiting', { process: { command: command(2) }, files, dependsOn: ['edited'] }, isNoticed)
  const { isPresent, supervisor, state, mark } = moving
  world.declare('moving', isPresent ? { supervisor, state, process: { command: command(mark) } } : undefined, isNoticed)
  // Somebody else's service has that name.
  world.declare('taken', { process: { command: command(3) } }, isNoticed)
}

export function settleStrangers(world: EngineWorld): void {
  for (const name of ['taken', 'stranger']) {
    writeFileSync(`${world.directory('alpha')}/${name}.json`, JSON.stringify({ command: ['/bin/theirs'] }))
    world.supervisor.enable(`${world.directory('alpha')}/${name}`, true)
  }
}

/** Those that anybody may meddle with. */
function meddledKey(world: EngineWorld, { moving }: Wanted, at: number): string {
  const places = [
    ['alpha', 'edited'],
    ['alpha', 'waiting'],
    [moving.supervisor, 'moving'],
  ] as const
  const [supervisor, service] = places[at % places.length] ?? places[0]
  return join(world.directory(supervisor), service)
}

function change(part: (wanted: Wanted, at: number) => void): Deed {
  return (world, wanted, at) => {
    part(wanted, at)
    declareAll(world, wanted, at % 3 !== 0)
  }
}

function changeMoving(part: (moving: Wanted['moving'], at: number) => Partial<Wanted['moving']>): Deed {
  return change((wanted, at) => {
    wanted.moving = { ...wanted.moving, ...part(wanted.moving, at) }
  })
}

const deeds: Readonly<Record<string, Deed>> = {
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

  stop: (world, wanted, at) => world.supervisor.stop(meddledKey(world, wanted, at), at % 2 === 0),
  enable: (world, wanted, at) => {
    const key = meddledKey(world, wanted, at)
    const run = world.supervisor.services.get(key)
    if (run) world.supervisor.enable(key, !run.enabled)
  },
  'delete a definition': (world, wanted, at) => rmSync(`${meddledKey(world, wanted, at)}.json`, { force: true }),
  'edit a definition': (world, wanted, at) => {
    const path = `${meddledKey(world, wanted, at)}.json`
    if (existsSync(path)) writeFileSync(path, readFileSync(path, 'utf8').replace('/bin/sleep', '/bin/meddled'))
  },
  'delete the file': world => rmSync(world.path('waiting'), { force: true }),

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
  'behave for a while': world => endFaults(world),
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

export async function take({ kind, at, wait }: Turn, world: EngineWorld, wanted: Wanted): Promise<void> {
  await deeds[kind]?.(world, wanted, at)
  await world.clock.advance(wait)
}

export const stories: fc.Arbitrary<readonly Turn[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...Object.keys(deeds)),
    at: fc.nat({ max: 20 }),
    wait: fc.constantFrom(0, 7, 60, 700, 3_000, 45_000),
  }),
  { minLength: 3, maxLength: 20 },
)
