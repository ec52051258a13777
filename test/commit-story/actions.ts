import { eventually } from '../../src/conformance/eventually.ts'
import { ReeveError } from '../../src/core/reeve-error.ts'
import type { Choose } from '../random-actions/chooser.ts'
import { type Declared, isNeeded } from '../random-actions/declarations.ts'
import { editFile, findProcess, signal } from '../random-actions/facility-changes.ts'
import type { RandomActions } from '../random-actions/run.ts'
import type { CommitWorld } from './world.ts'

const MOST_ABSENT = 2

/** What is done to the repository and to the host. */
export const commitActions: RandomActions<CommitWorld> = {
  'commit: good'(world, choose) {
    change(world, choose)
    world.push({ kind: 'good' })
  },
  'commit: good, with many changes'(world, choose) {
    for (let left = 2 + choose(5); left > 0; left -= 1) change(world, choose)
    world.push({ kind: 'good' })
  },
  'commit: a service that crashes'({ declarations, push }, choose) {
    const declared = pick(declarations.all, choose, ({ isPresent, isRunning }) => isPresent && isRunning)
    if (!declared) return 'nothing'
    declared.isBroken = true
    declared.mark = declarations.nextMark()
    push({ kind: 'crash' })
    declared.isBroken = false
    declared.mark = declarations.nextMark()
    return 'done'
  },
  'commit: an invalid manifest'({ declarations, push }, choose) {
    const declared = pick(declarations.all, choose, ({ isPresent }) => isPresent)
    if (!declared) return 'nothing'
    const spoil = (): void => declarations.overwrite(declared, declarations.textOf(declared).slice(0, -2))
    push({ kind: 'invalid', spoil })
    return 'done'
  },
  'commit: not signed'(world, choose) {
    change(world, choose)
    world.push({ kind: 'good', isSigned: false })
  },
  'fix: the branch without what is not signed'(world, choose) {
    if (world.deeds.tip.isTrusted) return 'nothing'
    world.resetToTrusted()
    change(world, choose)
    world.push({ kind: 'good', isForced: true })
    return 'done'
  },
  async 'history rewritten, refused and accepted'(world, choose) {
    const { deeds, problems, records, git } = world
    await world.settle()
    if (!deeds.tip.isTrusted || deeds.pinned !== undefined || problems.length > 0) return 'nothing'
    change(world, choose)
    git.git('reset', '--quiet', '--soft', 'HEAD~1')
    const { id } = world.push({ kind: 'good', isForced: true })
    if (choose(2) === 0) await killController(world)
    await insist(world, 'the rewritten history to be refused', async control => {
      const { condition } = await control.sync()
      return condition.reason === 'NotFastForward' && condition.message.includes(id.slice(0, 12))
    })
    const inForce = records().find(({ isInForce }) => isInForce)?.commit
    if (inForce !== deeds.settled) problems.push(`${inForce} came into force, and ${id} was to be refused`)
    await insist(world, 'the rewritten history to be accepted', async control => {
      await control.accept(id)
      return true
    })
    return 'done'
  },
  async 'reeve rollback'({ host, deeds }) {
    const { commit } = await (await host.control()).rollback()
    deeds.pinned = commit
    return 'done'
  },
  async 'reeve sync'({ host, deeds }) {
    await (await host.control()).sync()
    if (deeds.pinned !== undefined) deeds.settled = deeds.pinned
    deeds.pinned = undefined
  },
  'quiet look': ({ settle }) => settle(),
  'controller killed': killController,
  'supervisor killed': ({ host }) => signal(host.supervisorPid(), 'SIGKILL'),
  'service killed'({ host, declarations, deeds }, choose) {
    const declared = pick(declarations.all, choose, one => findProcess(one, host) !== undefined)
    if (!declared || signal(findProcess(declared, host), 'SIGKILL') === 'nothing') return 'nothing'
    deeds.serviceKills = [...deeds.serviceKills, Date.now()]
    return 'done'
  },
}

async function killController({ host, deeds }: CommitWorld): Promise<void> {
  await host.killController()
  deeds.controllerKills = [...deeds.controllerKills, Date.now()]
  host.startController()
}

/** Asks the controller, which may only just have been started, until it holds. */
async function insist(
  { host }: CommitWorld,
  what: string,
  ask: (control: Awaited<ReturnType<CommitWorld['host']['control']>>) => Promise<boolean>,
): Promise<void> {
  await eventually(what, () =>
    host
      .control()
      .then(ask)
      .catch((error: unknown) => {
        if (error instanceof ReeveError) return false
        throw error
      }),
  )
}

/** Another program, file or wish of one facility, or it goes or comes again. */
function change({ declarations }: CommitWorld, choose: Choose): void {
  const { all } = declarations
  // More removals at once would have to be allowed by a person.
  const mayGo = all.filter(({ isPresent }) => !isPresent).length < MOST_ABSENT
  const free = (one: Declared): boolean => !isNeeded(one, all)
  const ways: (() => void)[] = [
    () => edit(pick(all, choose, ({ isPresent }) => isPresent)),
    () =>
      toggle(
        pick(all, choose, one => free(one) && (!one.isPresent || mayGo)),
        'isPresent',
      ),
    () =>
      toggle(
        pick(all, choose, one => one.isPresent && free(one)),
        'isRunning',
      ),
    () => {
      const declared = pick(all, choose, ({ isPresent, file }) => isPresent && file !== undefined)
      if (declared) editFile(declared, declarations)
    },
  ]
  const edit = (declared: Declared | undefined): void => {
    if (declared) declared.mark = declarations.nextMark()
  }
  ways[choose(ways.length)]?.()
  // No two commits have the same content.
  edit(pick(all, choose, ({ isPresent }) => isPresent))
}

function toggle(declared: Declared | undefined, field: 'isPresent' | 'isRunning'): void {
  if (declared) declared[field] = !declared[field]
}

function pick(all: readonly Declared[], choose: Choose, suits: (declared: Declared) => boolean): Declared | undefined {
  const suitable = all.filter(suits)
  return suitable[choose(suitable.length)]
}
