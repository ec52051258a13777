import { join } from 'node:path'
import type { ApplyOutcome } from '../../core/contracts/apply-outcome.ts'
import { hostingOf } from '../../core/contracts/hosting.ts'
import type { Facility } from '../../core/model/facility.ts'
import { findInsecurePath } from '../../core/paths/path-permissions.ts'
import type { Plan } from '../../core/plan/step.ts'
import { ReeveError } from '../../core/reeve-error.ts'
import { type Location, locationKey } from '../../core/state/snapshot.ts'
import type { Holder } from '../../host/lock.ts'
import { sha256 } from '../../host/sha256.ts'
import { digestOf } from '../../manifest/check/digest.ts'
import type { ManifestSet } from '../../manifest/manifest-set.ts'
import { loadManifests } from '../../manifest/manifest-source.ts'
import { type ApplyOptions, applyOnce } from '../execution/apply.ts'
import { makeDownPlan, takeDown } from '../execution/down.ts'
import { makePlanRun, type PlanRun } from '../refresh/plan-run.ts'
import { probeAll } from '../refresh/supervisor-list.ts'
import type { Session } from '../session/session.ts'
import type { BoundInstance } from '../session/supervisor-instances.ts'
import { findWriter } from '../session/writer-lock.ts'
import { choosePlace, type InstallationPlace } from './installation-place.ts'

/**
 * The controller as a facility, declared here instead of in a manifest, and planned, executed and removed as any other. It has an
 * owner of its own, so that neither the controller nor `reeve down` treats it as orphaned; and its lock, record and history
 * are in a directory of their own in the state directory, as the controller writes all else there.
 */
export interface Installation {
  readonly session: Session
  readonly set: ManifestSet
  readonly place: InstallationPlace
  /** Plan of the installation. */
  readonly plan: Plan
  /** Where its output is found: a path, or a command. */
  readonly log: string | undefined
  /** Advice for the person who installs. */
  readonly advice: string | undefined
}

export interface InstallationOptions {
  /** Node and the program that it runs, as absolute paths. */
  readonly program: readonly [node: string, script: string]
  /** Arguments of `reeve run`. */
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Version of this Reeve: another one restarts the controller. */
  readonly version: string
  /** Absent: see `choosePlace`. */
  readonly supervisor?: string
  /** Adopts an existing service of that name. */
  readonly adopt?: boolean
}

/**
 * Plans the installation, and writes nothing. Throws ReeveError `not-found`, `refused` or `unavailable` without a suitable
 * supervisor, `insecure` if others can write the program that root runs, `locked` while another controller runs on this
 * state directory.
 */
export async function prepareInstallation(session: Session, options: InstallationOptions): Promise<Installation> {
  const own = createInstallerSession(session)
  const supervisors = declareSupervisors(session)
  const before = await makePlanRun(own, { removal: [], set: supervisors })
  const bound = before.instances
  const place = choosePlace({
    ...(options.supervisor === undefined ? {} : { wanted: options.supervisor }),
    installed: ownedPlaces(before, own).map(({ supervisor }) => supervisor),
    defaultSupervisor: session.configuration.defaultSupervisor,
    providers: session.providers,
    types: new Map([...bound].map(([name, { instance }]) => [name, instance.type])),
    availability: await probeAll(bound, session.clock),
  })
  const chosen = bound.get(place.supervisor)
  if (!chosen) throw new ReeveError('internal', `supervisor ${place.supervisor} is chosen and not bound`)
  refuseInsecure(options.program, session)
  const facility = declareController(session, place, chosen, options)
  const set: ManifestSet = { ...supervisors, facilities: [facility] }
  const planRun = await makePlanRun(own, { set })
  refuseSecondController(findWriter(session), facility, planRun, ownedPlaces(planRun, own))
  const hosting = hostingOf(chosen.provider)
  return {
    session: own,
    set,
    place,
    plan: planRun.plan,
    log: facility.process?.output?.file ?? planRun.refresh.snapshot.services.get(locationKey(facility))?.output,
    advice: hosting.advise?.(chosen.instance, session.readHost),
  }
}

/** Carries out the plan: see `applyOnce`. */
export function carryOutInstallation(
  session: Session,
  { session: own, set }: Installation,
  ways: Pick<ApplyOptions, 'signal' | 'listener'>,
): Promise<ApplyOutcome> {
  makeStateDirectory(session)
  return applyOnce(own, { ...ways, set, command: 'install' })
}

/** Plans the removal, and writes nothing. Throws ReeveError `locked` while another process installs or removes the controller. */
export function planUninstallation(session: Session): Promise<Plan> {
  return makeDownPlan(createInstallerSession(session), [], declareSupervisors(session))
}

export function carryOutUninstallation(
  session: Session,
  ways: Pick<ApplyOptions, 'signal' | 'listener'>,
): Promise<ApplyOutcome> {
  makeStateDirectory(session)
  return takeDown(createInstallerSession(session), [], {
    ...ways,
    set: declareSupervisors(session),
    command: 'uninstall',
  })
}

/** Creates the state directory with access for its user only, as the controller does. */
function makeStateDirectory(session: Session): void {
  session.openWriteHost().makeDirectory(session.configuration.stateDirectory, { mode: 0o700 })
}

function createInstallerSession(session: Session): Session {
  const { configuration } = session
  return {
    ...session,
    configuration: {
      ...configuration,
      // Owners in host configurations cannot contain a slash.
      owner: `${configuration.owner}/controller`,
      // Whoever installs may do anything on this host, and report mode is about what the manifests declare.
      policy: {},
      mode: 'reconcile',
      stateDirectory: join(configuration.stateDirectory, 'installation'),
    },
  }
}

/** Supervisors of the manifests, and default ones for this user. */
function declareSupervisors({ manifests, providers, readHost }: Session): ManifestSet {
  const { supervisors } = loadManifests(manifests)
  const declared = new Set(supervisors.map(({ name }) => name))
  const defaults = [...providers.values()].flatMap(provider => {
    const options = hostingOf(provider).options?.(readHost) ?? {}
    const { type } = provider
    return declared.has(type) || Object.keys(options).length === 0 ? [] : [{ name: type, type, options }]
  })
  return { facilities: [], supervisors: [...supervisors, ...defaults], diagnostics: [], complete: true, revision: '' }
}

function declareController(
  { configuration }: Session,
  { supervisor }: InstallationPlace,
  { provider }: BoundInstance,
  options: InstallationOptions,
): Facility {
  const { owner, stateDirectory } = configuration
  const { config, keepsOutput = false } = hostingOf(provider)
  const hasFile = !keepsOutput && provider.capabilities.process.includes('output.file')
  const output = { file: join(stateDirectory, 'controller.log') }
  const content: Omit<Facility, 'position' | 'digest'> = {
    name: 'reeve',
    labels: {},
    supervisor,
    service: owner === 'default' ? 'reeve' : `reeve-${owner}`,
    state: 'running',
    enabled: true,
    process: {
      command: [...options.program, 'run', ...options.arguments],
      workingDirectory: '/',
      // A program that is replaced at the same path restarts the controller too, as does an edited host configuration.
      environment: {
        ...options.environment,
        REEVE_VERSION: options.version,
        REEVE_CONFIGURATION: digestOf(configuration).slice(0, 12),
      },
      environmentFiles: [],
      limits: {},
      restart: { policy: 'always', delay: 1_000 },
      stop: { signal: 'TERM', timeout: 10_000 },
      ...(hasFile && { output }),
    },
    ...(config !== undefined && { config }),
    files: [],
    onChange: 'restart',
    dependsOn: [],
    adopt: options.adopt ?? false,
    readyAfter: 1_000,
    prune: true,
    suspend: false,
  }
  return { ...content, digest: digestOf(content), position: { file: 'reeve install', line: 0, column: 0 } }
}

/** Version with a digest of the program, which tells builds of one version apart. */
export function versionOf(version: string, program: Uint8Array): string {
  return `${version}+${sha256(program).slice(0, 12)}`
}

function refuseInsecure(program: readonly string[], { manifests, readHost }: Session): void {
  if (manifests.runsAsRoot !== true || manifests.insecurePermissions === true) return
  for (const path of program) {
    const insecure = findInsecurePath(path, readHost, 0)
    if (insecure) throw new ReeveError('insecure', `root is to run ${path} at every boot: ${insecure.message}`)
  }
}

/** Location where the controller is installed. */
function ownedPlaces({ refresh }: PlanRun, { configuration }: Session): Location[] {
  return refresh.snapshot.owned.filter(({ ownership }) => ownership.owner === configuration.owner)
}

/** Throws ReeveError `locked` if a controller other than the installed one runs: it would keep that one from starting. */
function refuseSecondController(
  writer: Holder | undefined,
  facility: Facility,
  { refresh }: PlanRun,
  installed: readonly Location[],
): void {
  const isWriter = (place: Location): boolean =>
    writer !== undefined && refresh.snapshot.services.get(locationKey(place))?.pid === writer.pid
  const isTheirs = isWriter(facility) && !installed.some(isWriter)
  if (!writer || installed.some(isWriter) || (isTheirs && facility.adopt)) return
  const { supervisor, service } = facility
  const who = `process ${writer.pid} (${writer.command}, since ${writer.since}) works on this state directory`
  throw new ReeveError(
    'locked',
    isTheirs
      ? `${who} as service ${service} of supervisor ${supervisor}, which reeve install didn't make: --adopt takes it over`
      : `${who}, and would keep the service from starting: stop it first, or name another --state-dir`,
  )
}
