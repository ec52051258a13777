import { existsSync, readFileSync, statSync } from 'node:fs'
import { layoutOf } from '../../providers/process/shared/layout.ts'
import type { Control } from '../../src/core/contracts/control.ts'
import { makeCurrentPlan } from '../../src/engine/execution/apply.ts'
import type { Session } from '../../src/engine/session/session.ts'
import { conditionOf } from '../labs/engine-lab.ts'
import type { SoakHost } from '../soak/soak-host.ts'
import { countWith, isHalted, takeCensus } from './census.ts'
import type { Declared } from './declarations.ts'

/** Host to check. */
export interface Snapshot {
  readonly marker: string
  readonly session: Session
  /** Throws ReeveError `unavailable` if the controller doesn't answer now. */
  control(): Promise<Control>
}

/** Problems by facility; those of no facility are under ''. */
export type Differences = ReadonlyMap<string, readonly string[]>

type Complain = (name: string, problem: string) => void

/** Differences between the host and its declarations. Observes by itself, whatever the controller says. */
export async function findDifferences(snapshot: Snapshot, all: readonly Declared[]): Promise<Differences> {
  const differences = new Map<string, string[]>()
  const complain: Complain = (name, problem) => {
    differences.set(name, [...(differences.get(name) ?? []), problem])
  }
  await checkStatus(snapshot, all, complain)
  const plan = await makeCurrentPlan(snapshot.session)
  for (const { message } of plan.diagnostics) complain('', message)
  for (const { name, blocked, steps } of plan.facilities) {
    if (blocked !== undefined) complain(name, `blocked: ${blocked}`)
    for (const { id, reason } of steps) complain(name, `still to do: ${id} (${reason})`)
  }
  checkProcesses(snapshot, all, complain)
  for (const declared of all) checkFile(declared, complain)
  return differences
}

/** True if the controller says so: a quick check while it says no. */
export async function isSaidToBeSettled(snapshot: Snapshot, all: readonly Declared[]): Promise<boolean> {
  let isSettled = true
  await checkStatus(snapshot, all, () => {
    isSettled = false
  })
  return isSettled
}

async function checkStatus(snapshot: Snapshot, all: readonly Declared[], complain: Complain): Promise<void> {
  const status = await (await snapshot.control()).status()
  const said = new Map(status.facilities.map(facility => [facility.name, facility]))
  for (const { name, isPresent } of all) {
    const one = said.get(name)
    const isSettled = conditionOf(one, 'Ready') === 'True' && conditionOf(one, 'Reconciling') === 'False'
    if (isPresent && !isSettled) complain(name, `not said to be ready: ${JSON.stringify(one?.conditions)}`)
    if (!isPresent && one) complain(name, 'said to be there')
  }
}

function checkProcesses({ marker }: Snapshot, all: readonly Declared[], complain: Complain): void {
  const found = takeCensus(marker)
  for (const { name, mark, isPresent, isRunning, port } of all) {
    const own = found.filter(one => one.name === name)
    if (isPresent && isRunning && !own.some(one => one.mark === mark))
      complain(name, `lost: no process of mark ${mark}`)
    for (const [index, { pid, mark: mine }] of own.entries()) {
      const isWanted = isPresent && isRunning && mine === mark
      if (!isWanted) complain(name, `nobody wants process ${pid} of mark ${mine}`)
      else if (index > 0) complain(name, `doubled: process ${pid}`)
      // Its health check takes a while.
      else if (port !== undefined && isHalted(pid)) complain(name, `hangs: process ${pid} is stopped`)
    }
  }
}

function checkFile({ name, isPresent, file }: Declared, complain: Complain): void {
  if (!file) return
  const isThere = existsSync(file.path)
  if (isThere !== isPresent) complain(name, `${file.path} is ${isThere ? 'there still' : 'gone'}`)
  if (!isThere || !isPresent) return
  const isRight = readFileSync(file.path, 'utf8') === file.content && (statSync(file.path).mode & 0o777) === 0o644
  if (!isRight) complain(name, `${file.path} is not as declared`)
}

/** Problems of the built-in supervisor's own processes. */
export function findSupervisorDifferences({ supervisorDirectory }: SoakHost, all: readonly Declared[]): string[] {
  const problems: string[] = []
  const running = all.filter(({ isPresent, isRunning }) => isPresent && isRunning).length
  const supervisors = countWith(`supervisor.js\0${supervisorDirectory}`)
  if (supervisors !== 1) problems.push(`there are ${supervisors} supervisors`)
  const shims = countWith(`${layoutOf(supervisorDirectory).runs}/`)
  if (shims !== running) problems.push(`${shims} shims for ${running} services`)
  return problems
}
