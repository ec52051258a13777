import type { CrashScenario } from './crash-everywhere.ts'
import type { Place, Revision } from './crash-host.ts'

function process(place: Place, variant: number): object {
  return {
    command: place.command(variant),
    ...(place.honours('stop.timeout') && { stop: { timeout: '5s' } }),
    ...(place.honours('reload.signal') && { reload: { signal: 'HUP' } }),
  }
}

function twoFacilities(place: Place): Revision {
  const files = [{ path: place.path('db.conf'), content: 'one\n' }]
  return {
    db: { process: process(place, 1), files },
    web: { process: process(place, 2), dependsOn: ['db'] },
  }
}

/** Scenarios for every provider. */
export const crashScenarios: readonly CrashScenario[] = [
  {
    name: 'a first installation of two facilities, one with a file, the other depending on it',
    before: () => ({}),
    after: twoFacilities,
  },
  {
    name: 'a changed definition, which restarts',
    before: twoFacilities,
    after: place => ({
      ...twoFacilities(place),
      web: { process: process(place, 3), dependsOn: ['db'], enabled: false },
    }),
  },
  {
    name: 'a changed file, which reloads, a new one and a dropped one',
    before: place => ({
      web: {
        process: process(place, 1),
        files: [
          { path: place.path('web.conf'), content: 'one\n', onChange: 'reload' },
          { path: place.path('old.conf'), content: 'old\n', onChange: 'reload' },
        ],
      },
    }),
    after: place => ({
      web: {
        process: process(place, 1),
        files: [
          { path: place.path('web.conf'), content: 'two\n', onChange: 'reload' },
          { path: place.path('new.conf'), content: 'new\n', onChange: 'reload' },
        ],
      },
    }),
  },
  {
    name: 'a removal of two facilities, one depending on the other',
    before: twoFacilities,
    after: () => ({}),
  },
  {
    name: 'a move to another supervisor',
    before: twoFacilities,
    after: place => {
      const { db, web } = twoFacilities(place)
      return { db: { ...db, supervisor: 'other' }, web: { ...web } }
    },
  },
  {
    name: 'a move that fails and is rolled back',
    before: place => ({ web: { process: process(place, 1) } }),
    after: ({ honours }) => {
      const restart = honours('restart.policy') && { restart: { policy: 'never' } }
      return { web: { supervisor: 'other', process: { command: ['/bin/false'], ...restart } } }
    },
    fails: true,
  },
]

/** Output of one service goes to a file later, and that of another no longer does. */
export const logScenario: CrashScenario = {
  name: 'a log that is added, and one that is removed',
  before: place => ({
    db: { process: { ...process(place, 1), output: { file: place.path('db.log') } } },
    web: { process: process(place, 2) },
  }),
  after: place => ({
    db: { process: process(place, 1) },
    web: { process: { ...process(place, 2), output: { file: place.path('web.log') } } },
  }),
}
