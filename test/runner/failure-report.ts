import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { SerializedError } from 'vitest'
import type { Reporter, TestModule } from 'vitest/node'

const directory = join(import.meta.dirname, '../report')
/** Limit for each error, in characters: if hundreds of lines differ, the first of them are enough. */
const LONGEST_ERROR = 4_000

/**
 * Writes `test/report/what-failed.txt`: the errors of all failures, including those of tests that passed on a retry, which
 * vitest itself doesn't report. `.ci/run` prints it last of all, where it is found first.
 */
export class FailureReport implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const failures = modules.flatMap(findFailures)
    if (unhandled.length > 0) failures.push(describeFailure('outside all tests', unhandled))
    if (failures.length === 0) return
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'what-failed.txt'), `What failed\n\n${failures.join('\n')}`)
  }
}

function findFailures(module: TestModule): string[] {
  const failures: string[] = []
  const { relativeModuleId } = module
  if (module.errors().length > 0) failures.push(describeFailure(relativeModuleId, module.errors()))
  for (const suite of module.children.allSuites()) {
    const errors = suite.errors()
    if (errors.length > 0) failures.push(describeFailure(`${relativeModuleId} > ${suite.fullName}`, errors))
  }
  for (const test of module.children.allTests()) {
    const { state, errors = [] } = test.result()
    if (errors.length === 0) continue
    const outcome = state === 'passed' ? ' (good when tried again)' : ''
    failures.push(describeFailure(`${relativeModuleId} > ${test.fullName}${outcome}`, errors))
  }
  return failures
}

function describeFailure(what: string, errors: readonly SerializedError[]): string {
  const texts = errors.map(({ message, diff, stack }, index) => {
    const place = stack?.split('\n').find(line => line.includes('/test/'))
    const text = [message, diff, place].filter(part => part !== undefined).join('\n')
    const plain = stripVTControlCharacters(text)
    const cut =
      plain.length > LONGEST_ERROR ? `${plain.slice(0, LONGEST_ERROR)}\n… (${plain.length} characters)` : plain
    return `try ${index + 1}: ${cut}\n`
  })
  return `${what}\n${texts.join('')}`
}
