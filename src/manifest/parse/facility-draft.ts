import { constants } from 'node:os'
import { type FacilityForm, facilityShape } from '#schemas/compiled/facility.shape.js'
import type { FacilityManifest } from '#schemas/compiled/types.js'
import type { Facility, Health, ManagedFile } from '../../core/model/facility.ts'
import { createForm, type FormProblem } from '../../core/model/form.ts'
import { suggestionFor } from '../diagnostics/field-suggestion.ts'
import { type FieldPath, type FieldProblem, problemOf } from '../diagnostics/problem.ts'
import { type ConfigSources, readConfigSources } from './config-source.ts'
import type { DraftContext } from './draft-context.ts'
import { draftHttpCheck } from './http-check-draft.ts'

const facilityForm = createForm(facilityShape)

/** Draft: a facility as its own document declares it, without what depends on other documents. */
export interface FacilityDraft extends Omit<Facility, 'supervisor' | 'config' | 'digest'> {
  /** Absent: the default one. */
  readonly supervisor?: string
  /** By supervisor type. */
  readonly config: Readonly<Record<string, unknown>>
  readonly configSources: ConfigSources
}

/** Brings a valid document into normal form: defaults filled in, units converted, sources read. */
export function draftFacility(
  manifest: FacilityManifest,
  context: DraftContext,
): { readonly draft: FacilityDraft; readonly problems: readonly FieldProblem[] } {
  const problems: FieldProblem[] = []
  const { metadata, spec } = facilityForm.read(manifest, {
    resolvePath: context.resolvePath,
    findSignal,
    complain: problem => problems.push(describeProblem(problem)),
  })
  const { serviceName = metadata.name, files, health, readySeconds, ...rest } = spec
  // Spread last: V8 is many times slower to add fields to a copy.
  const draft: FacilityDraft = {
    service: serviceName,
    configSources: readConfigSources(spec.config, context.readSource),
    files: files.map((file, index) => draftFile(file, ['spec', 'files', index], context, problems)),
    ...(health !== undefined && { health: draftHealth(health, problems) }),
    readyAfter: Math.round(readySeconds * 1_000),
    position: context.position,
    ...metadata,
    ...rest,
  }
  for (const [type, config] of Object.entries(draft.config)) {
    if (config !== null) continue
    const message = `spec.config.${type} is empty: leave it out, or say what it should be`
    problems.push({ code: 'wrong-type', message, path: ['spec', 'config', type] })
  }
  return { draft, problems }
}

/** `hup` and `SIGHUP` → `HUP`. Undefined: this system has no such signal. */
function findSignal(text: string): string | undefined {
  const name = text.toUpperCase().replace(/^SIG/, '')
  return `SIG${name}` in constants.signals ? name : undefined
}

function describeProblem(problem: FormProblem): FieldProblem {
  const { signal } = problem
  const known = Object.keys(constants.signals).map(name => name.slice('SIG'.length))
  const hint = signal === undefined ? '' : suggestionFor(signal.toUpperCase().replace(/^SIG/, ''), known)
  return problemOf({ ...problem, message: problem.message + hint })
}

type FileForm = FacilityForm['spec']['files'][number]
type HealthForm = NonNullable<FacilityForm['spec']['health']>

function draftFile(file: FileForm, path: FieldPath, context: DraftContext, problems: FieldProblem[]): ManagedFile {
  const { path: target, owner, group, mode, onChange, onRemove } = file
  return {
    path: target,
    content: contentOf(file, path, context, problems),
    ...(owner !== undefined && { owner }),
    ...(group !== undefined && { group }),
    mode,
    onChange,
    // Left out where it is the default, so that digests of earlier versions stay valid.
    ...(onRemove === 'delete' && { onRemove }),
  }
}

function contentOf(file: FileForm, path: FieldPath, context: DraftContext, problems: FieldProblem[]): Uint8Array {
  if ('content' in file) return new TextEncoder().encode(file.content)
  const content = context.readSource(file.source)
  if (content instanceof Uint8Array) return content
  problems.push({ ...content, path: [...path, 'source'] })
  return new Uint8Array()
}

function draftHealth(health: HealthForm, problems: FieldProblem[]): Health {
  const { interval, timeout, failureThreshold, startupTimeout, onFailure } = health
  return { check: draftCheck(health, problems), interval, timeout, failureThreshold, startupTimeout, onFailure }
}

function draftCheck(health: HealthForm, problems: FieldProblem[]): Health['check'] {
  if ('tcp' in health) return { type: 'tcp', ...health.tcp }
  if ('exec' in health) return { type: 'exec', ...health.exec }
  return draftHttpCheck(health.http, problems)
}
