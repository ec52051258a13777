import { isAbsolute } from 'node:path'
import { describeValue, isObject, isTextList } from '../../core/outside-value.ts'
import type { Observed, OwnedService, ServiceState } from '../../core/state/observed.ts'

/** Checks of a provider's answers. A problem continues the sentence "it gave …"; undefined if there is none. */

const states: ReadonlySet<unknown> = new Set<ServiceState>([
  'running',
  'starting',
  'stopping',
  'stopped',
  'failed',
  'absent',
  'unknown',
])
const enablements: ReadonlySet<unknown> = new Set<Observed['enabled']>([true, false, 'partly', 'unknown', 'fixed'])

/** Times beyond this one are in microseconds, and not of a clock that is wrong by some years. */
const LATEST_TIME = 10_000_000_000_000

const MODES = 0o7777

export function findAvailabilityFault(answer: unknown): string | undefined {
  if (!isObject(answer)) return `${describeValue(answer)}, and no availability`
  if (typeof answer.available !== 'boolean') return `available: ${describeValue(answer.available)}, not true or false`
  if (!answer.available && typeof answer.reason !== 'string') return 'available: false without a reason'
  return undefined
}

export function findRenderFault(answer: unknown): string | undefined {
  if (!isObject(answer) || answer instanceof Promise) {
    return `${describeValue(answer)}, and neither a definition nor problems`
  }
  const { definition, problems } = answer
  if (!('definition' in answer)) {
    const isComplaint = Array.isArray(problems) && problems.every(isProblem)
    return isComplaint ? undefined : 'neither a definition nor problems, each with a field and a message'
  }
  if (!isObject(definition)) return `definition: ${describeValue(definition)}`
  const { digest, files } = definition
  if (typeof digest !== 'string' || digest === '') return `digest: ${describeValue(digest)}, and no text`
  if (!Array.isArray(files)) return `files: ${describeValue(files)}, and no list`
  const paths = new Set<unknown>()
  for (const file of files) {
    const fault = findFileFault(file)
    if (fault !== undefined) return fault
    if (paths.has(file.path)) return `the file ${file.path} twice`
    paths.add(file.path)
  }
  return undefined
}

function isProblem(value: unknown): boolean {
  return isObject(value) && typeof value.field === 'string' && typeof value.message === 'string'
}

function findFileFault(file: unknown): string | undefined {
  if (!isObject(file)) return `${describeValue(file)} as a file`
  const { path, content, mode } = file
  if (typeof path !== 'string' || !isAbsolute(path)) return `the file ${describeValue(path)}, which is no absolute path`
  if (typeof content !== 'string') return `the file ${path} with content ${describeValue(content)}, and no text`
  const isMode = typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= MODES
  return isMode ? undefined : `the file ${path} with mode ${describeValue(mode)}, which is not within 0 and 0o7777`
}

export function findListFault(answer: unknown): string | undefined {
  if (!Array.isArray(answer)) return `${describeValue(answer)}, and no list`
  for (const entry of answer) {
    if (!isObject(entry) || typeof entry.service !== 'string') return `${describeValue(entry)} without a service`
    if (!isOwnership(entry.ownership)) return `service ${entry.service} with an incomplete marker`
  }
  return undefined
}

function isOwnership(value: unknown): value is OwnedService['ownership'] {
  if (!isObject(value)) return false
  const { owner, facility, files, dependsOn, prune, meets, revision } = value
  return (
    typeof owner === 'string' &&
    typeof facility === 'string' &&
    isTextList(files) &&
    isTextList(dependsOn) &&
    typeof prune === 'boolean' &&
    (meets === undefined || isTextList(meets)) &&
    (revision === undefined || typeof revision === 'string')
  )
}

/** `service`: the requested one. */
export function findObservationFault(service: string, answer: unknown): string | undefined {
  if (answer === undefined) return 'no answer'
  if (!isObject(answer)) return describeValue(answer)
  const { state, enabled, supervised, ownership, loaded, pid } = answer
  if (answer.service !== service) return `an answer for ${describeValue(answer.service)}`
  if (!states.has(state)) return `state: ${describeValue(state)}, which is none of ${[...states].join(', ')}`
  if (!enablements.has(enabled)) return `enabled: ${describeValue(enabled)}`
  if (typeof supervised !== 'boolean') return `supervised: ${describeValue(supervised)}, not true or false`
  if (ownership !== undefined && !isOwnership(ownership)) return 'an incomplete marker'
  if (loaded !== undefined && !isLoaded(loaded)) return `loaded: ${describeValue(loaded)}`
  if (pid !== undefined && !isCount(pid, 1)) return `pid: ${describeValue(pid)}`
  for (const field of ['since', 'startedAt']) {
    const time = answer[field]
    const isTime = typeof time === 'number' && time >= 0 && time < LATEST_TIME
    if (time !== undefined && !isTime) return `${field}: ${describeValue(time)}, no time in milliseconds since 1970`
  }
  for (const field of ['restarts', 'totalRestarts']) {
    const count = answer[field]
    if (count !== undefined && !isCount(count, 0)) return `${field}: ${describeValue(count)}`
  }
  return undefined
}

function isLoaded(value: unknown): boolean {
  if (!isObject(value) || typeof value.definition !== 'string' || !isObject(value.files)) return false
  return Object.values(value.files).every(digest => typeof digest === 'string')
}

function isCount(value: unknown, least: number): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least
}
