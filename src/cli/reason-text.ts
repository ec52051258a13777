import type { Reason } from '../core/plan/reason.ts'
import type { Rollback, Step } from '../core/plan/step.ts'
import { participles, type Verb } from '../core/plan/verb.ts'
import { visibleWord } from '../core/text/visible-text.ts'

const words: Readonly<Record<Exclude<Reason, 'enablement' | 'enablement-drift'>, string>> = {
  new: 'not on this host yet',
  adopted: 'adopted: it already exists',
  'definition-changed': 'its definition changed in the manifest',
  'definition-drift': 'its definition on the host was edited or deleted',
  'file-changed': 'the file changed in the manifest',
  'rolled-back': 'a newer revision failed, and this one is in force again',
  'file-drift': 'the file on the host was edited or deleted',
  'file-dropped': 'the manifest no longer has the file',
  'out-of-date': 'the running process predates the current definition or files',
  stopped: 'it is stopped and should run',
  failed: 'it has failed and should run',
  running: 'it runs and should be stopped',
  unsupervised: 'nobody watches over it',
  unhealthy: 'its health check fails',
  moved: 'it moved to another supervisor or service name',
  pruned: 'its manifest is gone',
  'put-back': 'the move failed, and the old service runs again',
  overwritten: 'the program wrote the file as it ended',
  requested: 'requested manually',
  undone: 'another facility’s steps undo it over and over',
  ended: 'its process ended by itself',
}

/** A step's reason in words. */
export function reasonText(step: {
  readonly reason: Reason
  readonly verb: string
  readonly detail?: string | undefined
}): string {
  if (step.detail !== undefined) return step.detail
  const isDisabling = step.verb === 'disable'
  if (step.reason === 'enablement-drift')
    return isDisabling
      ? 'it was enabled on the host and should not start at boot'
      : 'it was disabled on the host and should start at boot'
  if (step.reason !== 'enablement') return words[step.reason]
  return isDisabling ? 'it starts at boot and should not' : 'it does not start at boot and should'
}

const doing: Readonly<Record<Verb, string>> = {
  install: 'installing',
  remove: 'removing',
  enable: 'enabling',
  disable: 'disabling',
  start: 'starting',
  stop: 'stopping',
  restart: 'restarting',
  reload: 'reloading',
  'write-file': 'writing',
  'remove-file': 'removing',
  'restore-file': 'putting back',
}

const done: Readonly<Record<Verb, string>> = { ...participles, 'write-file': 'wrote' }

type StepObject = Pick<Step, 'verb' | 'path' | 'target'>

/** A step in words: `install`, `write /etc/web.toml`, `stop runit:web`. */
export function stepText(step: Step): string {
  if (step.verb === 'write-file') return withObject('write', step)
  if (step.verb === 'remove-file') return withObject('remove', step)
  if (step.verb === 'restore-file') return withObject('put back', step)
  return withObject(step.verb, step)
}

/** The rollback of a failed move: `roll back to runit:web`. */
export function rollbackText({ to }: Rollback): string {
  return withObject('roll back to', { target: to })
}

/** A step under way: `starting`, `writing /etc/web.toml`. */
export function stepUnderWayText(step: StepObject): string {
  return withObject(doing[step.verb], step)
}

/** A finished step: `started`, `wrote /etc/web.toml`. */
export function stepDoneText(step: Step): string {
  return withObject(done[step.verb], step)
}

/** An omitted step: `started`, `written /etc/web.toml`, to follow `not`. */
export function stepOmittedText(step: Step): string {
  return withObject(participles[step.verb], step)
}

/** A wait: `waits for db to become ready`; for itself, `waits to become ready`. */
export function waitingText({ facility, until }: { readonly facility: string; readonly until: string }): string {
  return until.startsWith(`${facility} to `) ? `waits ${until.slice(facility.length + 1)}` : `waits for ${until}`
}

function withObject(verb: string, step: Pick<Step, 'path' | 'target'>): string {
  const target = step.target && `${step.target.supervisor}:${step.target.service}`
  const object = step.path ?? target
  return object === undefined ? verb : `${verb} ${visibleWord(object)}`
}
