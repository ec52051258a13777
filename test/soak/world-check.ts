import { readFileSync, statSync } from 'node:fs'
import { layoutOf } from '../../providers/process/layout.ts'
import { makeCurrentPlan } from '../../src/engine/apply.ts'
import { conditionOf } from '../engine-lab.ts'
import { countWith, takeCensus } from './census.ts'
import type { Declarations, Declared } from './declarations.ts'
import type { SoakHost } from './soak-host.ts'

/** In what the world differs from the manifests: a line each. Looks for itself, whatever the controller says. */
export async function findDifferences(host: SoakHost, { all }: Declarations): Promise<string[]> {
  const status = await (await host.control()).status()
  const said = new Map(status.facilities.map(facility => [facility.name, facility]))
  const problems: string[] = []
  for (const { name } of all) {
    if (conditionOf(said.get(name), 'Ready') !== 'True') {
      problems.push(`${name}: not said to be ready: ${JSON.stringify(said.get(name)?.conditions)}`)
    }
  }
  const plan = await makeCurrentPlan(host.session)
  problems.push(...plan.diagnostics.map(({ message }) => message))
  for (const { name, blocked, steps } of plan.facilities) {
    if (blocked !== undefined) problems.push(`${name}: blocked: ${blocked}`)
    for (const { id, reason } of steps) problems.push(`${name}: still to do: ${id} (${reason})`)
  }
  return [...problems, ...findProcessDifferences(host, all), ...all.flatMap(findFileDifferences)]
}

function findProcessDifferences({ marker, supervisorDirectory }: SoakHost, all: readonly Declared[]): string[] {
  const problems: string[] = []
  const expected = all.filter(({ isRunning }) => isRunning).map(({ name, mark }) => `${name} ${mark}`)
  const found = takeCensus(marker).map(({ name, mark }) => `${name} ${mark}`)
  for (const one of expected) if (!found.includes(one)) problems.push(`lost: there is no process of ${one}`)
  for (const [index, one] of found.entries()) {
    if (!expected.includes(one)) problems.push(`nobody wants the process of ${one}`)
    if (found.indexOf(one) !== index) problems.push(`doubled: ${one}`)
  }
  const supervisors = countWith(`supervisor.js\0${supervisorDirectory}`)
  if (supervisors !== 1) problems.push(`there are ${supervisors} supervisors`)
  const shims = countWith(`${layoutOf(supervisorDirectory).runs}/`)
  if (shims !== expected.length) problems.push(`${shims} shims for ${expected.length} services`)
  return problems
}

function findFileDifferences({ file }: Declared): string[] {
  if (!file) return []
  const mode = statSync(file.path, { throwIfNoEntry: false })?.mode ?? 0
  const isRight = (mode & 0o777) === 0o644 && readFileSync(file.path, 'utf8') === file.content
  return isRight ? [] : [`${file.path} is not as declared`]
}
