import type { FacilityManifest } from '#schemas/compiled/types.js'
import type { Facility, Health, ManagedFile, Process } from '../core/model/facility.ts'
import { type ConfigSources, readConfigSources } from './config-source.ts'
import type { DraftContext } from './draft-context.ts'
import { suggestionFor } from './field-suggestion.ts'
import { draftHttpCheck, draftSecrets } from './http-check-draft.ts'
import type { FieldPath, FieldProblem } from './problem.ts'
import { longestDuration, parseDuration, parseOctal, parseSignal, parseSize, signalNames } from './quantity.ts'

/** A facility as its own document says it. What depends on other documents is still to be filled in. */
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
  const { metadata, spec } = manifest
  const problems: FieldProblem[] = []
  const draft: FacilityDraft = {
    name: metadata.name,
    ...(metadata.renamedFrom !== undefined && { renamedFrom: metadata.renamedFrom }),
    labels: metadata.labels ?? {},
    ...(spec.supervisor !== undefined && { supervisor: spec.supervisor }),
    service: spec.serviceName ?? metadata.name,
    state: spec.state ?? 'running',
    enabled: spec.enabled ?? true,
    ...(spec.process !== undefined && { process: draftProcess(spec.process, context, problems) }),
    config: spec.config ?? {},
    configSources: readConfigSources(spec.config ?? {}, context.readSource),
    files: (spec.files ?? []).map((file, index) => draftFile(file, ['spec', 'files', index], context, problems)),
    onChange: spec.onChange ?? 'restart',
    dependsOn: spec.dependsOn ?? [],
    ...(spec.health !== undefined && { health: draftHealth(spec.health, context, problems) }),
    adopt: spec.adopt ?? false,
    readyAfter: Math.round((spec.readySeconds ?? 1) * 1_000),
    prune: spec.prune ?? true,
    suspend: spec.suspend ?? false,
    position: context.position,
  }
  for (const [type, config] of Object.entries(draft.config)) {
    if (config !== null) continue
    const message = `spec.config.${type} is empty: leave it out, or say what it should be`
    problems.push({ code: 'wrong-type', message, path: ['spec', 'config', type] })
  }
  return { draft, problems }
}

type ProcessManifest = NonNullable<FacilityManifest['spec']['process']>
type FileManifest = NonNullable<FacilityManifest['spec']['files']>[number]
type HealthManifest = NonNullable<FacilityManifest['spec']['health']>

function draftProcess(process: ProcessManifest, context: DraftContext, problems: FieldProblem[]): Process {
  const path = ['spec', 'process']
  const { workingDirectory, user, group, umask, restart, stop, output } = process
  if (process.command[0] === '') {
    problems.push({
      code: 'invalid-value',
      message: 'spec.process.command has no program',
      path: [...path, 'command', 0],
    })
  }
  return {
    command: process.command,
    ...(workingDirectory !== undefined && { workingDirectory: context.resolvePath(workingDirectory) }),
    ...(user !== undefined && { user }),
    ...(group !== undefined && { group }),
    ...(umask !== undefined && { umask: parseOctal(umask) }),
    environment: draftSecrets(process.environment ?? {}, context),
    environmentFiles: (process.environmentFiles ?? []).map(file => context.resolvePath(file)),
    limits: process.limits ?? {},
    restart: {
      policy: restart?.policy ?? 'always',
      delay: duration(restart?.delay, '1s', [...path, 'restart', 'delay'], problems),
    },
    stop: {
      signal: signal(stop?.signal ?? 'TERM', [...path, 'stop', 'signal'], problems),
      timeout: duration(stop?.timeout, '10s', [...path, 'stop', 'timeout'], problems),
    },
    ...(process.reload !== undefined && { reload: draftReload(process.reload, problems) }),
    ...(output === 'stdout' ? { toStdout: true } : output && { output: draftOutput(output, problems) }),
  }
}

function draftReload(
  reload: NonNullable<ProcessManifest['reload']>,
  problems: FieldProblem[],
): NonNullable<Process['reload']> {
  if (reload.command !== undefined) return { command: reload.command }
  return { signal: signal(reload.signal ?? 'HUP', ['spec', 'process', 'reload', 'signal'], problems) }
}

function draftOutput(
  output: Exclude<NonNullable<ProcessManifest['output']>, 'stdout'>,
  problems: FieldProblem[],
): NonNullable<Process['output']> {
  const path = ['spec', 'process', 'output']
  checkTarget(output.file, [...path, 'file'], problems)
  const maxSize = output.maxSize === undefined ? undefined : parseSize(output.maxSize)
  if (maxSize !== undefined && (maxSize < 4096 || maxSize > 1024 ** 5)) {
    const message = 'spec.process.output.maxSize must be at least 4KiB and at most 1024 TiB'
    problems.push({ code: 'invalid-value', message, path: [...path, 'maxSize'] })
  }
  return {
    file: output.file,
    ...(maxSize !== undefined && { maxSize }),
    ...(output.keep !== undefined && { keep: output.keep }),
  }
}

function draftFile(file: FileManifest, path: FieldPath, context: DraftContext, problems: FieldProblem[]): ManagedFile {
  checkTarget(file.path, [...path, 'path'], problems)
  return {
    path: file.path,
    content: contentOf(file, path, context, problems),
    ...(file.owner !== undefined && { owner: file.owner }),
    ...(file.group !== undefined && { group: file.group }),
    mode: parseOctal(file.mode ?? '0644'),
    onChange: file.onChange ?? 'restart',
    // Only where it says something: a facility's digest stays what it was.
    ...(file.onRemove === 'delete' && { onRemove: file.onRemove }),
  }
}

function contentOf(file: FileManifest, path: FieldPath, context: DraftContext, problems: FieldProblem[]): Uint8Array {
  if (file.source === undefined) return new TextEncoder().encode(file.content ?? '')
  const content = context.readSource(file.source)
  if (content instanceof Uint8Array) return content
  problems.push({ ...content, path: [...path, 'source'] })
  return new Uint8Array()
}

function draftHealth(health: HealthManifest, context: DraftContext, problems: FieldProblem[]): Health {
  const path = ['spec', 'health']
  return {
    check: draftCheck(health, context, problems),
    interval: duration(health.interval, '10s', [...path, 'interval'], problems, 100),
    timeout: duration(health.timeout, '2s', [...path, 'timeout'], problems, 1),
    failureThreshold: health.failureThreshold ?? 3,
    startupTimeout: duration(health.startupTimeout, '60s', [...path, 'startupTimeout'], problems),
    onFailure: health.onFailure ?? 'report',
  }
}

function draftCheck(health: HealthManifest, context: DraftContext, problems: FieldProblem[]): Health['check'] {
  const { http, tcp, exec } = health
  if (tcp !== undefined) return { type: 'tcp', host: tcp.host ?? '127.0.0.1', port: tcp.port }
  if (exec !== undefined) return { type: 'exec', command: exec.command }
  return draftHttpCheck(http ?? { url: '' }, context, problems)
}

function duration(
  text: string | undefined,
  fallback: string,
  path: FieldPath,
  problems: FieldProblem[],
  atLeast = 0,
): number {
  const milliseconds = parseDuration(text ?? fallback)
  if (milliseconds >= atLeast && milliseconds <= longestDuration) return milliseconds
  const bound = milliseconds < atLeast ? `at least ${atLeast}ms` : `at most ${longestDuration / 3_600_000}h`
  problems.push({ code: 'invalid-value', message: `${path.join('.')} must be ${bound}, found ${text}`, path })
  return milliseconds
}

function signal(text: string, path: FieldPath, problems: FieldProblem[]): string {
  const name = parseSignal(text)
  if (name !== undefined) return name
  const hint = suggestionFor(text.toUpperCase().replace(/^SIG/, ''), signalNames())
  problems.push({ code: 'unknown-signal', message: `${path.join('.')}: there is no signal "${text}"${hint}`, path })
  return text
}

/** What Reeve writes must say plainly where it goes. */
function checkTarget(target: string, path: FieldPath, problems: FieldProblem[]): void {
  const parts = target.split('/').slice(1)
  if (parts.every(part => part !== '' && part !== '.' && part !== '..')) return
  const message = `"${target}" must name a file without "." or "..", empty parts or a slash at the end`
  problems.push({ code: 'invalid-value', message, path })
}
