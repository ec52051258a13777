import type { ResolvedFacility } from '../../src/core/model/resolved-facility.ts'
import type { Step } from '../../src/core/plan/step.ts'
import type { FileClaims } from '../../src/core/state/file-claim.ts'
import { type Location, locationKey } from '../../src/core/state/snapshot.ts'
import { OWNER } from './declaration.ts'
import {
  readDefinition,
  resolve,
  type SimulatedHost,
  withFile,
  withoutFile,
  withoutService,
  withService,
} from './simulated-host.ts'
import { isUp, reload, serviceAt, settle, start, stop } from './simulated-process.ts'

/** A step that must never have been planned: it acts on a service that is not ours, or unknown. */
export class Trespass extends Error {}

/** The host after one step. `target` is absent for removals. Throws `Trespass`. */
export function performStep(
  host: SimulatedHost,
  step: Step,
  plan: Location,
  target: ResolvedFacility | undefined,
  claims: FileClaims = new Map(),
): SimulatedHost {
  const at = resolve(host, step.target ?? { supervisor: plan.supervisor, service: plan.service })
  refuseTrespass(host, step, at, target)
  return settle(act(host, step, at, { target, claims }))
}

interface Given {
  readonly target: ResolvedFacility | undefined
  readonly claims: FileClaims
}

function act(host: SimulatedHost, step: Step, at: Location, { target, claims }: Given): SimulatedHost {
  switch (step.verb) {
    case 'install':
      return install(host, at, target)
    case 'remove':
      return { ...withoutFile(withoutService(host, locationKey(at)), pathOf(at)) }
    case 'enable':
    case 'disable':
      // Something exists that starts the service at boot.
      return withService(host, { ...serviceAt(host, at), enabled: step.verb === 'enable', supervised: true })
    case 'start':
      return start(host, serviceAt(host, at))
    case 'stop':
      return stop(host, serviceAt(host, at))
    case 'restart': {
      const stopped = stop(host, serviceAt(host, at))
      return start(stopped, serviceAt(stopped, at))
    }
    case 'reload':
      return reload(host, serviceAt(host, at))
    case 'write-file':
      return writeFile(host, step, target)
    case 'restore-file':
      return restoreFile(host, step, claims)
    case 'remove-file':
      return withoutFile(host, step.path ?? '')
  }
}

function refuseTrespass(host: SimulatedHost, step: Step, at: Location, target: ResolvedFacility | undefined): void {
  const key = locationKey(at)
  if (host.unavailable.has(at.supervisor)) throw new Trespass(`${step.id}: its supervisor is unavailable`)
  if (host.unknown.has(key)) throw new Trespass(`${step.id}: its state is unknown`)
  const service = host.services.get(key)
  const owner = readDefinition(host, at.supervisor, at.service)?.reeve?.owner
  const isOurs = owner === OWNER
  const mayAct = isOurs || target?.facility.adopt || (target && !target.definition)
  // Without a definition, the record was the proof of ownership, and planning has checked it.
  const isTaken = service?.packaged === true || host.files.has(pathOf(at))
  if (step.verb === 'install' && isTaken && !mayAct) {
    throw new Trespass(`${step.id}: a service of that name isn't ours`)
  }
  if (step.verb === 'remove' && !isOurs) throw new Trespass(`${step.id}: it isn't ours`)
  if (step.verb === 'remove' && service && isUp(service)) throw new Trespass(`${step.id}: it still runs`)
  if ((step.verb === 'remove-file' || step.verb === 'restore-file') && !markersNaming(host, step.path ?? '')) {
    throw new Trespass(`${step.id}: no marker of ours names it`)
  }
  const isServiceVerb = ['start', 'stop', 'restart', 'reload', 'enable', 'disable'].includes(step.verb)
  if (isServiceVerb && !mayAct) throw new Trespass(`${step.id}: it isn't ours`)
}

function markersNaming(host: SimulatedHost, path: string): boolean {
  for (const definition of host.files.keys()) {
    const [, supervisor, service] = /^\/definitions\/([^/]+)\/([^/]+)\.json$/.exec(definition) ?? []
    const marker = readDefinition(host, supervisor ?? '', service ?? '')?.reeve
    if (marker?.owner === OWNER && marker.files.includes(path)) return true
  }
  return false
}

function install(host: SimulatedHost, at: Location, target: ResolvedFacility | undefined): SimulatedHost {
  let result = host
  for (const { path, content, mode } of target?.definition?.files ?? []) {
    result = withFile(result, path, { content: new TextEncoder().encode(content), mode, uid: 0, gid: 0 })
  }
  const { packaged: _packaged, ...service } = serviceAt(host, at)
  return withService(result, service)
}

function writeFile(host: SimulatedHost, step: Step, target: ResolvedFacility | undefined): SimulatedHost {
  const file = target?.files.find(({ path }) => path === step.path)
  if (!file) throw new Trespass(`${step.id}: the facility has no such file`)
  const { content, mode, uid, gid } = file
  return withFile(host, file.path, { content, mode, uid, gid })
}

function restoreFile(host: SimulatedHost, { id, path = '' }: Step, claims: FileClaims): SimulatedHost {
  const found = claims.get(path)?.found
  if (typeof found !== 'object' || !found.content) throw new Trespass(`${id}: nothing is known of what was there`)
  const { content, mode, uid, gid } = found
  return withFile(host, path, { content, mode, uid, gid })
}

function pathOf({ supervisor, service }: Location): string {
  return `/definitions/${supervisor}/${service}.json`
}
