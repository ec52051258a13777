import { writeFileSync } from 'node:fs'
import type { Arbitrary } from 'fast-check'
import type { RandomActions } from '../random-actions/run.ts'
import { type Turn, turnsOf } from '../random-actions/turns.ts'
import { fewerFaults } from './engine-story.ts'
import type { EngineWorld } from './engine-world.ts'

/** State of the manifests of the failing services. */
export interface Declared {
  /** Argument of a program, never used twice. */
  mark: number
  /** The declaration of the crash-looping service is itself at fault. */
  isFaulty: boolean
  /** Mark of the file that its program writes as it ends. */
  content: string
  /** Whether the conflict of the two is declared; else no text shows it. */
  doConflict: boolean
  isRivalRunning: boolean
  /** A second facility for the service that has two names. */
  isNamedTwice: boolean
  /** Like `mark`, for one of the two that may undo each other. */
  leftMark: number
}

/** A world with manifests that say so. */
export interface KindsWorld extends EngineWorld {
  readonly declared: Declared
}

type StoryAction = RandomActions<KindsWorld>[string]

export const PORT = '80'
const sleep = (...words: readonly string[]): { command: readonly string[] } => ({ command: ['/bin/sleep', ...words] })

/** Health check of the service that it is declared for; see `EngineWorld`. */
function healthOf(service: string, onFailure: 'restart' | 'report'): object {
  const times = { interval: '30s', timeout: '5s', failureThreshold: 2, startupTimeout: '30s' }
  return { health: { exec: { command: ['/bin/true', service] }, ...times, onFailure } }
}

export function declareKinds(snapshot: KindsWorld, isNoticed = true): void {
  const { mark, isFaulty, content, doConflict, isRivalRunning, isNamedTwice, leftMark } = snapshot.declared
  const file = snapshot.path('scribe')
  const specs: Record<string, object | undefined> = {
    steady: { process: sleep('1') },
    web: { process: sleep('2'), ...healthOf('web', 'restart') },
    api: { process: sleep('3'), ...healthOf('api', 'report') },
    loop: { process: sleep(String(mark), ...(isFaulty ? ['faulty'] : [])) },
    listener: { process: sleep('4', `port=${PORT}`) },
    scribe: { process: sleep('5', `writes=${file}`), files: [{ path: file, content }] },
    left: { process: sleep(String(leftMark)) },
    right: { process: sleep('7') },
    rival: { process: sleep('8'), state: isRivalRunning ? 'running' : 'stopped' },
    other: { process: sleep('9', ...(doConflict ? ['conflicts=rival'] : [])) },
    packaged: {},
    nickname: isNamedTwice ? {} : undefined,
  }
  for (const [name, spec] of Object.entries(specs)) snapshot.declare(name, spec, false)
  if (isNoticed) snapshot.declare('steady', specs.steady, true)
}

/** A packaged service with an alias; and one of a stranger. */
export function settleOthers({ supervisor, directory }: EngineWorld): void {
  for (const name of ['packaged', 'stranger']) {
    writeFileSync(`${directory('alpha')}/${name}.json`, JSON.stringify({ command: ['/bin/theirs'] }))
    supervisor.enable(`${directory('alpha')}/${name}`, true)
  }
  supervisor.aliases.set(`${directory('alpha')}/nickname`, `${directory('alpha')}/packaged`)
}

function redeclare(part: (declared: Declared, at: number) => void): StoryAction {
  return (snapshot, choose) => {
    part(snapshot.declared, choose(21))
    declareKinds(snapshot, choose(3) !== 0)
  }
}

export const kindsActions: RandomActions<KindsWorld> = {
  'web hangs': ({ programs }) => programs.troubles.set('web', 'hangs'),
  'api hangs': ({ programs }) => programs.troubles.set('api', 'hangs'),
  'web gets stuck': ({ programs }) => programs.getStuck('web'),
  'loop begins': ({ programs }) => {
    programs.troubles.set('loop', 'crashes')
    programs.crash('loop')
  },
  'port taken': ({ programs }) => {
    programs.taken.add(PORT)
    programs.crash('listener')
  },
  'quarrel begins': ({ quarrels, supervisor, directory }) => {
    quarrels.set('left', 'right').set('right', 'left')
    return supervisor.stop(`${directory('alpha')}/left`, true)
  },
  'faulty revision': redeclare(declared => {
    declared.isFaulty = !declared.isFaulty
    declared.mark += 1
  }),
  'edit the file': redeclare((declared, at) => {
    declared.content = `edited ${at}\n`
  }),
  'declare a conflict': redeclare(declared => {
    declared.doConflict = !declared.doConflict
  }),
  'declare the rival running or stopped': redeclare(declared => {
    declared.isRivalRunning = !declared.isRivalRunning
  }),
  'declare the other name': redeclare(declared => {
    declared.isNamedTwice = !declared.isNamedTwice
  }),
  'one is well again': ({ programs }, choose) => {
    const name = ['web', 'api', 'loop'][choose(3)]
    if (name !== undefined) programs.troubles.delete(name)
  },
  'port left': ({ programs }) => programs.taken.delete(PORT),
  'quarrel ends': ({ quarrels }) => quarrels.clear(),
  ...fewerFaults,
}

/** The problems of the programs are over; the declarations stay. */
export function endTroubles({ programs, quarrels }: EngineWorld): void {
  programs.troubles.clear()
  programs.taken.clear()
  quarrels.clear()
}

/** And the declarations are compatible. */
export function endContradictions(snapshot: KindsWorld): void {
  const { declared } = snapshot
  declared.isFaulty = false
  declared.mark += 1
  declared.doConflict = false
  declared.isRivalRunning = true
  declared.isNamedTwice = false
  declareKinds(snapshot)
}

export const kindStories: Arbitrary<readonly Turn[]> = turnsOf(
  Object.keys(kindsActions),
  [0, 60, 700, 8_000, 90_000],
  14,
)
