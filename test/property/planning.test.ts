import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { makePlan } from '../../src/core/plan/planning.ts'
import type { Plan } from '../../src/core/plan/step.ts'
import type { Verb } from '../../src/core/plan/verb.ts'
import { locationKey } from '../../src/core/state/snapshot.ts'
import { assertReported, openPropertyReport } from '../runner/reported-property.ts'
import { drawSample, sampled } from '../runner/sample.ts'
import { converge, describeHost, type Pass, pass, planFor, stepsOf } from '../simulation/convergence.ts'
import { bytesOf, type Declaration, OWNER, resolveFacility, sha256 } from '../simulation/declaration.ts'
import { readinessIn } from '../simulation/execution.ts'
import { changes, comesUp, type Story } from '../simulation/generation.ts'
import { meddle } from '../simulation/meddling.ts'
import { refreshHost, resolve, type SimulatedHost, withFile } from '../simulation/simulated-host.ts'
import { holdersOf } from '../simulation/simulated-process.ts'
import { aliasedHost, chooser, createStagings, type Scene, type Staging, stage, stories } from '../simulation/stage.ts'

/** Each property takes a second at most; but the machine may be busy. */
vi.setConfig({ testTimeout: 60_000 })

/** A run tells a law every third of the stories, and begins with another one than the run before. */
const sample = drawSample(3)
const runs = { ...stories, numRuns: Math.ceil(stories.numRuns / sample.stride) }

const report = openPropertyReport('property-planning', 'Properties of planning, over stories of a simulated host')

/** No story needs more passes until one has no steps, wherever it was cut off. */
const MOST_PASSES = 3

const stagingOf = createStagings()

function check(property: (story: Story, staging: Staging) => void): void {
  assertReported(
    report,
    fc.property(
      changes,
      sampled(sample, story => property(story, stagingOf(story))),
    ),
    runs,
  )
}

/** Without disturbance a facility fails only by its own program, or because of another that it waits for. */
function whyFailed(name: string, { plan, failed, host, events }: Pass, { newer }: Story, { before }: Scene): string {
  const declaration = newer.find(other => other.name === name)
  if (declaration && !comesUp(declaration)) return 'its program never comes up'
  const isLeft = (key: string): boolean =>
    plan.facilities.some(one =>
      one.steps.some(({ verb, target }) => leaves(verb) && locationKey(target ?? one) === key),
    )
  // Afterwards, or before: its rollback may have stopped the holder.
  if (declaration && portHolders(declaration, host).length > 0) return 'its port is taken'
  if (declaration && !portHolders(declaration, before.host).every(isLeft)) return 'its port was taken'
  // Existing services may be in any state.
  if (declaration?.command === null) return 'the service that is there never comes up'
  // A restart is made of stop and start only if the start is sure to follow: see `isStartedAgain`.
  const isLeftToOthers = declaration?.state === 'unmanaged'
  if (isLeftToOthers && events.has('written back')) return 'its program wrote its files as it ended'
  const needs = plan.facilities.find(facility => facility.name === name)?.steps.flatMap(step => step.needs) ?? []
  const others = needs.map(id => id.split('/')[0]).filter(other => other !== name)
  if (others.some(other => other !== undefined && failed.has(other))) return 'it needs a step that failed'
  // What it waits for may become ready only because it has failed, as its rollback leaves a port.
  const isIdle = (other: string): boolean => plan.facilities.find(one => one.name === other)?.steps.length === 0
  const isAwaited = (other: string): boolean =>
    !isReady(other, host, newer) ||
    (isIdle(other) && !isReady(other, before.host, newer)) ||
    isAnsweredFor(other, newer, before.host, plan)
  return declaration?.dependsOn?.some(isAwaited) ? 'it waits for another' : 'for no reason'
}

/**
 * Whether nothing is done about the facility, as it is blocked or suspended, while another one answers at its declared port: it seems
 * ready till that leaves the port, so that the order of steps decides whether those that depend on it are started.
 */
function isAnsweredFor(name: string, declared: readonly Declaration[], host: SimulatedHost, plan: Plan): boolean {
  const found = declared.find(one => one.name === name)
  const isIdle = plan.facilities.find(one => one.name === name)?.steps.length === 0
  return isIdle && found !== undefined && portHolders(found, host).length > 0
}

/** A blocked dependency fails at nothing; what runs in its place may not answer at its port. */
function isReady(name: string, host: SimulatedHost, declared: readonly Declaration[]): boolean {
  const found = declared.find(one => one.name === name)
  return found === undefined || readinessIn(host, resolveFacility(found)).ready
}

function leaves(verb: Verb): boolean {
  return verb === 'stop' || verb === 'restart' || verb === 'reload'
}

/** Others that listen at its port, by `locationKey`. */
function portHolders({ port, supervisor = 'alpha', service, name }: Declaration, host: SimulatedHost): string[] {
  const own = locationKey(resolve(host, { supervisor, service: service ?? name }))
  return port === undefined ? [] : holdersOf(host, port).filter(key => key !== own)
}

describe('plans, over many stories', () => {
  test('E3: the plan after an executed plan is empty', () => {
    check((_story, { scene, undisturbed }) => {
      const after = undisturbed()
      expect(stepsOf(planFor(after, scene.targets), after.failed)).toEqual([])
    })
  })

  test('E4: cut off after any step, new plans reach the same end in a bounded number of passes', () => {
    const count = fc.nat({ max: 30 })
    assertReported(
      report,
      fc.property(
        changes,
        count,
        fc.infiniteStream(fc.nat({ max: 20 })),
        sampled(sample, (story, limit, other) => {
          const { scene } = stagingOf(story)
          const first = planFor(scene.before, scene.targets)
          const isFooled = (name: string): boolean => isAnsweredFor(name, story.newer, scene.before.host, first)
          if (story.newer.some(({ dependsOn = [] }) => dependsOn.some(isFooled))) return
          const choices = [...other.take(8)]
          const end = converge(scene.before, scene.targets, { choose: chooser(story.choices) })
          const cut = pass(scene.before, scene.targets, { limit, choose: chooser(choices) })
          const resumed = converge(cut, scene.targets, { choose: chooser(choices) })
          expect(describeHost(resumed.host, scene.targets)).toEqual(describeHost(end.host, scene.targets))
          expect(resumed.passes).toBeLessThanOrEqual(MOST_PASSES)
        }),
      ),
      runs,
    )
  })

  test('E17: every planned step is executed, and nothing waits for ever', () => {
    check((story, { scene, undisturbed }) => {
      const result = undisturbed()
      const { plan, done, deadlocked, failed } = result
      expect(deadlocked).toEqual([])
      expect(done.filter(id => !failed.has(id.split('/')[0] ?? '')).sort()).toEqual(stepsOf(plan, failed).sort())
      for (const name of failed) expect(whyFailed(name, result, story, scene), name).not.toBe('for no reason')
    })
  })

  test('E1: a plan does not depend on the order of its input', () => {
    assertReported(
      report,
      fc.property(
        changes,
        fc.array(fc.nat(), { minLength: 1, maxLength: 5 }),
        sampled(sample, (story, keys) => {
          const { before, targets } = stagingOf(story).scene
          const snapshot = refreshHost(before.host, targets)
          const input = { targets, snapshot, owner: OWNER, applied: before.applied, prune: true }
          const shuffled = {
            ...input,
            targets: shuffle(targets, keys),
            applied: new Map(shuffle([...before.applied], keys)),
            snapshot: {
              ...snapshot,
              ...(snapshot.ties ? { ties: new Map(shuffle([...snapshot.ties], keys)) } : {}),
              ...(snapshot.formerTies ? { formerTies: new Map(shuffle([...snapshot.formerTies], keys)) } : {}),
              services: new Map(shuffle([...snapshot.services], keys)),
              owned: shuffle(snapshot.owned, keys),
              unavailable: new Map(shuffle([...snapshot.unavailable], keys)),
              files: new Map(shuffle([...snapshot.files], keys)),
            },
          }
          expect(JSON.stringify(makePlan(shuffled, sha256))).toBe(JSON.stringify(makePlan(input, sha256)))
        }),
      ),
      runs,
    )
  })

  test('E13: every need is a step of the plan, ids are unique, and needs form no cycle', () => {
    check((_story, { scene }) => expectSoundNeeds(planFor(scene.before, scene.targets)))
  })

  test('E7, E8: an unknown, unavailable, suspended or blocked facility gets no step', () => {
    check((_story, { scene: { before, targets } }) => {
      const plan = planFor(before, targets)
      const suspended = new Set(targets.filter(target => target.facility.suspend).map(target => target.facility.name))
      for (const { name, supervisor, service, steps, blocked, change } of plan.facilities) {
        if (suspended.has(name)) expect([steps, change]).toEqual([[], 'none'])
        // S8: a blocker keeps no service running that is to be stopped.
        const ends = steps.every(({ verb, reason }) => verb === 'disable' || (verb === 'stop' && reason === 'running'))
        expect(blocked === undefined || ends).toBe(true)
        if (steps.length === 0) expect(change).toBe('none')
        for (const step of steps) {
          const at = step.target ?? { supervisor, service }
          expect(before.host.unknown.has(`${at.supervisor}/${at.service}`)).toBe(false)
          expect(before.host.unavailable.has(at.supervisor)).toBe(false)
        }
      }
    })
  })

  test("E8: executing a plan never touches a stranger's service or file", () => {
    // `performStep` throws Trespass; this test checks that strangers' files are unchanged, whatever was planned.
    check((_story, { scene, undisturbed }) => {
      const mayTake = scene.targets.some(target => target.facility.adopt || !target.definition)
      const { host } = undisturbed()
      for (const [key, service] of scene.before.host.services) {
        if (!service.packaged || mayTake) continue
        expect(host.services.get(key)).toEqual(service)
      }
      for (const [path, file] of scene.before.host.files) {
        const isTheirs = new TextDecoder().decode(file.content).includes('"owner": "edge"')
        if (isTheirs && !mayTake) expect(host.files.get(path)).toEqual(file)
      }
    })
  })

  test("E19: a stranger's file where Reeve was about to write is neither overwritten nor removed", () => {
    let strangers = 0
    assertReported(
      report,
      fc.property(
        changes,
        fc.nat({ max: 12 }),
        sampled(sample, (story, limit) => {
          // A first pass: every written file is new.
          const targets = story.newer.map(resolveFacility)
          const before = { host: meddle(aliasedHost, story.strangers), applied: new Map() }
          const cut = pass(before, targets, { limit, choose: chooser(story.choices) })
          const theirs = { content: bytesOf('a stranger’s\n'), mode: 0o644, uid: 0, gid: 0 }
          let { host } = cut
          const paths: string[] = []
          for (const { facility } of targets) {
            for (const { path } of facility.adopt ? [] : facility.files) {
              if (host.files.has(path) || cut.claims?.get(path)?.isFulfilled !== false) continue
              host = withFile(host, path, theirs)
              paths.push(path)
            }
          }
          strangers += paths.length
          const resumed = converge({ ...cut, host }, targets, { choose: chooser(story.choices) })
          const gone = converge(resumed, [])
          for (const path of paths) {
            expect(resumed.host.files.get(path)).toEqual(theirs)
            expect(gone.host.files.get(path)).toEqual(theirs)
          }
        }),
      ),
      runs,
    )
    expect(strangers).toBeGreaterThan(10)
  })

  test('E9: an incomplete set prunes nothing', () => {
    check((_story, { scene: { before, targets } }) => {
      const plan = planFor(before, targets, false)
      const declared = new Set(targets.map(target => target.facility.name))
      expect(plan.facilities.filter(({ name }) => !declared.has(name))).toEqual([])
      expect(plan.facilities.flatMap(({ steps }) => steps).filter(({ reason }) => reason === 'pruned')).toEqual([])
      expect(plan.summary.remove).toBe(0)
    })
  })

  test('E12: a facility that was neither changed nor disturbed is left alone', () => {
    check(story => {
      const { before, targets } = stage({ ...story, meddling: [] })
      const settled = planFor(before, story.older.map(resolveFacility))
      const asBefore = new Set(story.older.map(declaration => JSON.stringify(declaration)))
      const plan = planFor(before, targets)
      for (const declaration of story.newer) {
        const was = settled.facilities.find(({ name }) => name === declaration.name)
        // What waits for another, or failed, is tried again.
        const isPending = was?.blocked !== undefined || (was?.steps.length ?? 0) > 0
        if (!asBefore.has(JSON.stringify(declaration)) || isPending) continue
        expect(plan.facilities.find(({ name }) => name === declaration.name)?.steps).toEqual([])
      }
    })
  })

  test('E18: without a record of the last applied state, an up-to-date facility gets no step', () => {
    check((_story, { scene, undisturbed }) => {
      const { host, failed, plan } = undisturbed()
      // The former place is known only from the record while its old supervisor doesn't answer.
      const lost = plan.facilities.filter(({ blocked }) => blocked?.includes('it was under supervisor'))
      const except = new Set([...failed, ...lost.map(({ name }) => name)])
      expect(stepsOf(planFor({ host, applied: new Map() }, scene.targets), except)).toEqual([])
    })
  })

  test('the summary adds up, and the facilities are sorted', () => {
    check((_story, { scene: { before, targets } }) => {
      const { summary, facilities } = planFor(before, targets)
      const { add, change, repair, remove, unchanged, blocked } = summary
      const both = facilities.filter(facility => facility.blocked !== undefined && facility.steps.length > 0)
      expect(add + change + repair + remove + unchanged + blocked).toBe(facilities.length + both.length)
      expect(facilities.filter(facility => facility.blocked !== undefined)).toHaveLength(blocked)
      expect(facilities.filter(({ steps }) => steps.length > 0)).toHaveLength(add + change + repair + remove)
      expect(facilities.map(({ name }) => name)).toEqual(facilities.map(({ name }) => name).sort())
    })
  })

  test('a plan is valid by its schema, reasons included', async () => {
    const { Ajv2020 } = await import('ajv/dist/2020.js')
    const { default: schema } = await import('../../schemas/plan.schema.json', { with: { type: 'json' } })
    const validate = new Ajv2020({ strict: false }).compile(schema)
    check((_story, { scene: { before, targets } }) => {
      validate(JSON.parse(JSON.stringify(planFor(before, targets))))
      expect(validate.errors ?? []).toEqual([])
    })
  })
})

function expectSoundNeeds(plan: Plan): void {
  const steps = new Map(plan.facilities.flatMap(facility => facility.steps).map(step => [step.id, step.needs]))
  expect(steps.size).toBe(plan.facilities.flatMap(facility => facility.steps).length)
  const done = new Set<string>()
  for (let before = -1; before !== done.size; ) {
    before = done.size
    for (const [id, needs] of steps) if (needs.every(need => done.has(need))) done.add(id)
  }
  expect([...steps.keys()].filter(id => !done.has(id))).toEqual([])
}

function shuffle<T>(list: readonly T[], keys: readonly number[]): T[] {
  const rest = [...list]
  const result: T[] = []
  for (let index = 0; rest.length > 0; index += 1) {
    result.push(...rest.splice((keys[index % keys.length] ?? 0) % rest.length, 1))
  }
  return result
}
