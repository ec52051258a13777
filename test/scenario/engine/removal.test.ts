import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { expect, test } from 'vitest'
import { processProvider } from '../../../providers/process/index.ts'
import { eventually } from '../../../src/conformance/eventually.ts'
import { isAlive, snapshot } from '../../../src/conformance/lab.ts'
import type { EngineListener } from '../../../src/core/contracts/engine-event.ts'
import { REMOVAL_SETTLING } from '../../../src/core/reconcile/decide.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'
import {
  conditionOf,
  createEngineLab,
  type EngineLab,
  facilityManifest,
  longRun,
  planOf,
  type RunningController,
  stepsOf,
} from '../../labs/engine-lab.ts'
import { findSupervisorPid } from '../../labs/process-lab.ts'
import { withApplier, withObserver } from '../../tools/opened-provider.ts'

/** Longer than the prune delay, measured by the controller's own work. */
async function pastSettling(controller: RunningController): Promise<void> {
  const from = (await controller.control.status()).controller?.lastPass ?? ''
  const end = Date.parse(from) + REMOVAL_SETTLING + 1_500
  await eventually('passes to be made after the settling time', async () => {
    const last = (await controller.control.status()).controller?.lastPass ?? ''
    return Date.parse(last) > end
  })
}

async function pids(lab: EngineLab, names: readonly string[]): Promise<(number | undefined)[]> {
  const found = []
  for (const name of names) found.push((await lab.observe(name)).pid)
  return found
}

const quick = { configuration: 'resync: 1s' }

test.concurrent('E7: an unknown state leads to no step, and is neither stopped nor absent', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const { pid } = await lab.observe('web')
  const supervisor = findSupervisorPid(lab.supervisorDirectory) ?? 0
  process.kill(supervisor, 'SIGSTOP')
  lab.declare('web', { process: longRun(1), state: 'stopped' })
  lab.declare('fresh', { process: longRun() })
  const outcome = await lab.apply()
  expect(stepsOf(outcome.plan)).toEqual([])
  for (const name of ['web', 'fresh']) expect(planOf(outcome.plan, name)?.blocked).toContain(`kill -CONT ${supervisor}`)
  lab.withdraw('web')
  expect(stepsOf((await lab.apply()).plan)).toEqual([])
  process.kill(supervisor, 'SIGCONT')
  expect(isAlive(pid ?? 0)).toBe(true)
  lab.declare('web', { process: longRun() })
  expect((await lab.observe('web')).pid).toBe(pid)
})

test.concurrent('E8: a service that is not ours is never changed; the message names the way out, and adopt takes it over', async () => {
  await using lab = createEngineLab()
  lab.declare('seed', { process: longRun() })
  await lab.apply()
  const definition = `${lab.supervisorDirectory}/definitions/web.json`
  const foreign = `${JSON.stringify({ process: { command: ['/bin/sleep', '77'] } })}\n`
  writeFileSync(definition, foreign, { mode: 0o600 })
  const file = lab.path('web.conf')
  writeFileSync(file, 'theirs\n')

  lab.declare('web', { process: longRun() })
  const blocked = await lab.apply()
  expect(planOf(blocked.plan, 'web')?.blocked).toMatch(/not managed by Reeve.*adopt: true.*another serviceName/)
  expect(readFileSync(definition, 'utf8')).toBe(foreign)
  lab.declare('web', { serviceName: 'web-2', process: longRun(), files: [{ path: file, content: 'ours\n' }] })
  expect(planOf((await lab.apply()).plan, 'web')?.blocked).toMatch(/web\.conf exists and is not managed by Reeve/)
  expect(readFileSync(file, 'utf8')).toBe('theirs\n')

  // A service that isn't ours is not pruned either.
  lab.withdraw('web')
  await lab.apply()
  expect(readFileSync(definition, 'utf8')).toBe(foreign)

  lab.declare('web', { process: longRun(), files: [{ path: file, content: 'ours\n' }], adopt: true })
  const adopted = await lab.apply()
  expect(adopted.failed).toEqual([])
  expect((await lab.observe('web')).ownership?.owner).toBe('default')
  expect(readFileSync(file, 'utf8')).toBe('ours\n')
})

test.concurrent('E8: a service of another Reeve is not ours', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const { pid } = await lab.observe('web')
  const text = readFileSync(lab.path('reeve.yaml'), 'utf8')
  writeFileSync(lab.path('other.yaml'), `${text}owner: another\n`)
  const as = { config: lab.path('other.yaml'), stateDir: lab.path('state-2') }
  lab.declare('web', { process: longRun(1) })
  const blocked = await lab.apply({ session: await lab.open(as) })
  expect(planOf(blocked.plan, 'web')?.blocked).toContain('another Reeve (owner default)')
  lab.withdraw('web')
  expect(stepsOf((await lab.apply({ session: await lab.open(as) })).plan)).toEqual([])
  expect(isAlive(pid ?? 0)).toBe(true)
})

test.concurrent('E9: prune: false leaves the service alone when its manifest goes', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun(), prune: false })
  await lab.apply()
  const { pid } = await lab.observe('web')
  lab.withdraw('web')
  expect(stepsOf((await lab.apply()).plan)).toEqual([])
  expect(isAlive(pid ?? 0)).toBe(true)
})

test.concurrent('E9: more removals than the limit are refused as a whole, and --allow-removals permits them', async () => {
  await using lab = createEngineLab()
  const names = ['a', 'b', 'c', 'd']
  for (const name of names) lab.declare(name, { process: longRun() })
  await lab.apply()
  const before = await pids(lab, names)
  for (const name of ['a', 'b', 'c']) lab.withdraw(name)
  lab.declare('d', { process: longRun(1) })
  await expect(lab.apply()).rejects.toThrow(/3 of the 4 owned facilities .*a, b, c.*--allow-removals 3/)
  await expect(lab.apply({ allowRemovals: 2 })).rejects.toMatchObject({ code: 'refused' })
  expect(before.map(pid => isAlive(pid ?? 0))).toEqual([true, true, true, true])
  const outcome = await lab.apply({ allowRemovals: 3 })
  expect(outcome.failed).toEqual([])
  expect(before.slice(0, 3).map(pid => isAlive(pid ?? 0))).toEqual([false, false, false])
})

test.concurrent('E9: a controller refuses more removals than the limit, reports it, and does everything else', async () => {
  await using lab = createEngineLab(quick)
  const names = ['a', 'b', 'c', 'd']
  for (const name of names) lab.declare(name, { process: longRun() })
  const controller = await lab.run()
  for (const name of names) await controller.ready(name)
  const before = await pids(lab, names)
  for (const name of ['a', 'b', 'c']) lab.withdraw(name)
  lab.declare('d', { process: longRun(1) })
  await eventually('the change to be made', () => controller.steps().includes('d/restart'))
  await pastSettling(controller)
  expect(before.map(pid => isAlive(pid ?? 0))).toEqual([true, true, true, false])
  const { controller: said } = await controller.control.status()
  expect(said?.problems.join()).toMatch(/3 of the 4 owned facilities .*--allow-removals 3/)
  await controller.stop()

  const allowed = await lab.run({ allowRemovals: 3 })
  await eventually('them to be removed', () => !before.slice(0, 3).some(pid => isAlive(pid ?? 0)))
  await allowed.ready('d')
  expect((await allowed.control.status()).controller?.problems).toEqual([])
})

test.concurrent('E9: a manifests directory that is missing, is no directory, or is a dangling link removes nothing', async () => {
  await using lab = createEngineLab(quick)
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  const { pid } = await controller.ready('web')
  const aside = lab.path('aside')
  const cases: Record<string, () => void> = {
    missing: () => renameSync(lab.manifests, aside),
    'a file': () => writeFileSync(lab.manifests, ''),
    'a dangling link': () => symlinkSync(lab.path('nowhere'), lab.manifests),
  }
  cases.missing?.()
  for (const [name, make] of Object.entries(cases)) {
    if (name !== 'missing') make()
    await eventually(`the problem of ${name} to be told`, async () => {
      const { controller: said } = await controller.control.status()
      return said?.problems.length === 1
    })
    await pastSettling(controller)
    expect(isAlive(pid ?? 0), name).toBe(true)
    expect((await controller.status('web'))?.pid).toBe(pid)
    if (name !== 'missing') unlinkSync(lab.manifests)
  }
  await controller.stop()
  const outcome = await lab.apply()
  expect(stepsOf(outcome.plan)).toEqual([])
  expect(outcome.plan.diagnostics.map(({ code }) => code)).toEqual(['directory-missing'])
  // A controller that never read the manifests doesn't know them.
  const fresh = await lab.run()
  await pastSettling(fresh)
  expect(isAlive(pid ?? 0)).toBe(true)
  renameSync(aside, lab.manifests)
  await fresh.ready('web')
  expect((await lab.observe('web')).pid).toBe(pid)
})

test.concurrent('E9: an unreadable subdirectory removes none of its facilities', async () => {
  await using lab = createEngineLab(quick)
  mkdirSync(`${lab.manifests}/team`)
  lab.write('team/web.yaml', facilityManifest('web', { process: longRun() }))
  lab.declare('db', { process: longRun() })
  const controller = await lab.run()
  const { pid } = await controller.ready('web')
  rmSync(`${lab.manifests}/team`, { recursive: true })
  // Root can read everything: a dangling link is as unreadable.
  symlinkSync(lab.path('nowhere'), `${lab.manifests}/team.yaml`)
  await pastSettling(controller)
  expect(isAlive(pid ?? 0)).toBe(true)
})

test.concurrent('E9, PITFALLS 7: a manifest that is emptied and refilled, or removed and added again, removes nothing', async () => {
  await using lab = createEngineLab(quick)
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  const { pid } = await controller.ready('web')
  const path = `${lab.manifests}/web.yaml`
  const text = readFileSync(path, 'utf8')
  for (const part of ['', text.slice(0, 20), '# being written\n']) {
    const passes = (await controller.control.status()).controller?.lastPass
    writeFileSync(path, part)
    await eventually('it to be read', async () => (await controller.control.status()).controller?.lastPass !== passes)
    writeFileSync(path, text)
  }
  unlinkSync(path)
  const passes = (await controller.control.status()).controller?.lastPass
  await eventually('it to be missed', async () => (await controller.control.status()).controller?.lastPass !== passes)
  writeFileSync(path, text)
  await pastSettling(controller)
  expect((await controller.ready('web')).pid).toBe(pid)
  expect(controller.steps().filter(id => id.startsWith('web/'))).toEqual(['web/install', 'web/enable', 'web/start'])
})

test.concurrent('PITFALLS 8: a manifest that is renamed or moved to another directory is the same', async () => {
  await using lab = createEngineLab(quick)
  lab.declare('web', { process: longRun() })
  const controller = await lab.run()
  const { pid } = await controller.ready('web')
  renameSync(`${lab.manifests}/web.yaml`, `${lab.manifests}/website.yaml`)
  await pastSettling(controller)
  mkdirSync(`${lab.manifests}/team`)
  renameSync(`${lab.manifests}/website.yaml`, `${lab.manifests}/team/site.yaml`)
  await pastSettling(controller)
  expect((await controller.ready('web')).pid).toBe(pid)
  expect(controller.steps()).toEqual(['web/install', 'web/enable', 'web/start'])
})

test.concurrent('E10: apply with an invalid file changes nothing at all', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  lab.declare('db', { process: longRun() })
  await lab.apply()
  lab.declare('web', { process: longRun(1) })
  lab.withdraw('db')
  lab.write('broken.yaml', 'apiVersion: reeve/v1\nkind: Facility\n')
  const before = snapshot([lab.path('supervisor', 'definitions'), lab.path('supervisor', 'state')])
  const outcome = await lab.apply()
  expect(outcome.stepsDone).toBe(0)
  expect(outcome.plan.diagnostics.some(({ severity }) => severity === 'error')).toBe(true)
  expect(snapshot([lab.path('supervisor', 'definitions'), lab.path('supervisor', 'state')])).toEqual(before)
})

test.concurrent('E10, E6: run keeps the last good version of an invalid file, reconciles all others, reports it, and takes the fix', async () => {
  await using lab = createEngineLab(quick)
  lab.declare('web', { process: longRun() })
  lab.declare('db', { process: longRun() })
  lab.declare('old', { process: longRun() })
  const controller = await lab.run()
  const { pid } = await controller.ready('web')
  await controller.ready('db')
  const old = await controller.ready('old')
  lab.write('web.yaml', facilityManifest('web', { process: longRun(1), onChnge: 'none' }))
  lab.withdraw('old')
  lab.declare('db', { process: longRun(1) })
  await eventually('the other to be changed', () => controller.steps().includes('db/restart'))
  await pastSettling(controller)
  const { controller: said } = await controller.control.status()
  expect(said?.problems.join()).toMatch(/web\.yaml:.*onChnge/)
  expect((await controller.status('web'))?.pid).toBe(pid)
  expect(isAlive(old.pid ?? 0)).toBe(true)

  // The kept facilities are repaired as well.
  process.kill(pid ?? 0, 'SIGKILL')
  await eventually('it to run again', async () => {
    const now = await controller.status('web')
    return now?.state === 'running' && now.pid !== pid
  })
  lab.declare('web', { process: longRun(2) })
  await eventually('the fix to be taken', () => controller.steps().includes('web/restart'))
  await controller.ready('web')
  await eventually('what is gone to be removed', () => !isAlive(old.pid ?? 0))
  expect((await controller.control.status()).controller?.problems).toEqual([])
})

test.concurrent('E10: a controller that starts with an invalid file leaves its facilities alone', async () => {
  await using lab = createEngineLab(quick)
  lab.declare('web', { process: longRun() })
  lab.declare('db', { process: longRun() })
  await lab.apply()
  const before = await pids(lab, ['web', 'db'])
  lab.write('web.yaml', 'half: [written')
  const controller = await lab.run()
  await controller.ready('db')
  await pastSettling(controller)
  expect(before.map(pid => isAlive(pid ?? 0))).toEqual([true, true])
  const web = await controller.status('web')
  expect([web?.state, conditionOf(web, 'Ready')]).toEqual(['running', 'False'])
  expect(existsSync(`${lab.supervisorDirectory}/definitions/web.json`)).toBe(true)
  expect(controller.steps()).toEqual([])
})

test.concurrent('E4, E9: a facility installed just before a crash is pruned, even if its Supervisor manifest goes too', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  let isOver = false
  const session = await lab.open({
    createWriteHost: options =>
      createWriteHost({
        ...options,
        onEffect(effect) {
          // As after a crash: the state directory lacks what is recorded at the end.
          if (isOver && effect.target.includes('record.json')) throw new Error('dead')
        },
      }),
  })
  const listener: EngineListener = event => {
    if (event.type === 'step-finished' && event.step.verb === 'start') isOver = true
  }
  await expect(lab.apply({ session, listener })).rejects.toThrow('dead')
  const { pid } = await lab.observe('web')
  expect(isAlive(pid ?? 0)).toBe(true)
  lab.withdraw('web')
  lab.withdraw('supervisor-lab')
  lab.declareSupervisor('other')
  const outcome = await lab.apply()
  expect(stepsOf(outcome.plan)).toEqual(['web/stop', 'web/remove'])
  expect(isAlive(pid ?? 0)).toBe(false)
})

test.concurrent('E14: a Supervisor that moves takes its services along, leaving nothing at the old place', async () => {
  await using lab = createEngineLab()
  lab.declare('web', { process: longRun() })
  await lab.apply()
  const { pid } = await lab.observe('web')
  const directory = lab.declareSupervisor('lab', lab.path('supervisor-2'))
  const outcome = await lab.apply()
  expect(outcome.failed).toEqual([])
  expect(isAlive(pid ?? 0)).toBe(false)
  expect(existsSync(`${lab.supervisorDirectory}/definitions/web.json`)).toBe(false)
  expect(existsSync(`${directory}/definitions/web.json`)).toBe(true)
  expect((await lab.observe('web')).state).toBe('running')
  expect(stepsOf(await lab.plan())).toEqual([])
})

test.concurrent('an observation older than a removal leads to no second removal', async () => {
  let isRemoving = false
  let hasLooked = false
  let isRemoved = false
  const late = withObserver(processProvider, ({ list }) => ({
    async list() {
      const found = await list()
      if (!isRemoving || found.length === 0) return found
      // It was observed before its removal, and is reported after it.
      hasLooked = true
      await eventually('it to be removed', () => isRemoved)
      return found
    },
    // Without hints of the supervisor: only manifests cause a full refresh.
    watch: () => ({ [Symbol.dispose]() {} }),
  }))
  const slow = withApplier(late, ({ apply }) => ({
    async apply(actions, report) {
      isRemoving ||= actions.some(({ verb }) => verb === 'remove')
      if (isRemoving) await eventually('somebody to look', () => hasLooked)
      await apply(actions, report)
    },
  }))
  await using lab = createEngineLab({ providers: [slow] })
  lab.declare('web', { process: longRun() })
  const controller = await lab.run({
    listener(event) {
      if (event.type === 'step-finished' && event.step.verb === 'remove') isRemoved = true
    },
  })
  await controller.ready('web')
  lab.withdraw('web')
  await eventually('its removal to begin', () => isRemoving)
  lab.declare('next', { process: longRun() })
  await controller.ready('next')
  expect(controller.steps().filter(id => id === 'web/remove')).toEqual(['web/remove'])
})
