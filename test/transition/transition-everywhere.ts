import { createServer, type Server } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import { createTransitionHost, type Look, nameOf, type Revision, type Settings } from './transition-host.ts'
import type { Ports, Transition } from './transitions.ts'

export interface TransitionReport {
  readonly transitions: readonly Transition[]
  /** One line for each that ended differently from an empty host. */
  readonly failures: readonly string[]
}

/**
 * Takes every field of a facility old → next → old → invalid → old, and compares each end with that of the same
 * manifests on an empty host. All fields go side by side, each with a facility of its own. For any provider: it takes
 * its conformance harness, and some `spec.config` of its own
 * where it has any. What it doesn't honour is left out.
 */
export async function transitionEverywhere(
  harness: ConformanceHarness,
  config: Settings['config'] = { valid: undefined, invalid: undefined },
): Promise<TransitionReport> {
  const settings = { config, ports: await findFreePorts() }
  // One after the other: if one failed beside the other, the test would end while that one's host still runs.
  const old = await lookFresh(harness, settings, 'old')
  const next = await lookFresh(harness, settings, 'next')
  await using host = await createTransitionHost(harness, settings)
  const { transitions } = host
  const failures: string[] = []
  const expectEnd = (when: string, found: Look, end: Look): void => {
    failures.push(...compare(when, found, end, transitions))
  }

  host.declare(transitions, 'old')
  await host.apply()
  const first = await host.look()
  expectEnd('at first', first, old)

  host.declare(transitions, 'next')
  await host.apply()
  const second = await host.look()
  expectEnd('then', second, leaveAsIs(next, first, transitions))
  failures.push(...findNeedlessRestarts(first, second))

  host.declare(transitions, 'old')
  await host.apply()
  const third = await host.look()
  expectEnd('and back', third, old)
  failures.push(...findNeedlessRestarts(second, third))

  host.declare(transitions, 'invalid')
  const files = new Set((await host.applyInvalid()).map(({ file }) => file.replace(/^.*\//, '')))
  for (const transition of transitions) {
    if (!files.has(`${nameOf(transition, transitions)}.yaml`))
      failures.push(`${transition.field}: taken though invalid`)
  }
  host.declare(transitions, 'old')
  const steps = await host.plan()
  if (steps.length > 0) failures.push(`after invalid manifests there is something to do: ${steps.join(' ')}`)
  const last = await host.look()
  expectEnd('after invalid manifests', last, old)
  if (!isDeepStrictEqual(last.processes, third.processes)) failures.push('invalid manifests have restarted services')
  return { transitions, failures }
}

async function lookFresh(harness: ConformanceHarness, settings: Settings, revision: Revision): Promise<Look> {
  await using host = await createTransitionHost(harness, settings)
  host.declare(host.transitions, revision)
  await host.apply()
  return await host.look()
}

/** The end on an empty host, except for facilities that are to be left alone. */
function leaveAsIs(fresh: Look, before: Look, transitions: readonly Transition[]): Look {
  const facilities = new Map(fresh.facilities)
  for (const transition of transitions) {
    const name = nameOf(transition, transitions)
    if (transition.leavesAsIs) facilities.set(name, before.facilities.get(name) ?? {})
  }
  const left = before.owned.filter(place =>
    transitions.some(one => one.leavesAsIs && place.endsWith(nameOf(one, transitions))),
  )
  return { ...fresh, facilities, owned: [...new Set([...fresh.owned, ...left])].sort() }
}

function compare(when: string, found: Look, end: Look, transitions: readonly Transition[]): string[] {
  const differences: string[] = []
  for (const transition of transitions) {
    const name = nameOf(transition, transitions)
    const [is, should] = [found.facilities.get(name) ?? {}, end.facilities.get(name) ?? {}]
    for (const key of new Set([...Object.keys(is), ...Object.keys(should)])) {
      if (isDeepStrictEqual(is[key], should[key])) continue
      const values = `${JSON.stringify(is[key])} instead of ${JSON.stringify(should[key])}`
      differences.push(`${transition.field}: ${when} ${key} is ${values}`)
    }
  }
  for (const key of ['owned', 'files'] as const) {
    if (isDeepStrictEqual(found[key], end[key])) continue
    differences.push(`${when} ${key} are ${found[key].join(' ')} instead of ${end[key].join(' ')}`)
  }
  return differences
}

/** A process that has loaded the same has no reason to be replaced. */
function findNeedlessRestarts(before: Look, after: Look): string[] {
  return [...after.processes].flatMap(([name, { loaded, pid }]) => {
    const was = before.processes.get(name)
    const isNeedless = was?.loaded === loaded && was.pid !== pid && was.pid !== undefined && pid !== undefined
    return isNeedless ? [`${name}: restarted, though nothing that it reads has changed`] : []
  })
}

/** Three times two. */
async function findFreePorts(): Promise<Ports[]> {
  const servers = Array.from({ length: 6 }, () => createServer())
  const [one, two, three, four, five, six] = await Promise.all(servers.map(listen))
  for (const server of servers) server.close()
  return [
    [one ?? 0, two ?? 0],
    [three ?? 0, four ?? 0],
    [five ?? 0, six ?? 0],
  ]
}

function listen(server: Server): Promise<number> {
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}
