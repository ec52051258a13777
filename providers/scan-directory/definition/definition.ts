import { join } from 'node:path'
import type { Rendered } from '../../../src/core/contracts/provider.ts'
import type { DefinitionFile } from '../../../src/core/model/definition.ts'
import type { Facility, Instance, Process } from '../../../src/core/model/facility.ts'
import { rotationOf } from '../../../src/core/model/portable-fields.ts'
import { isObject } from '../../../src/core/outside-value.ts'
import type { Ownership } from '../../../src/core/state/observed.ts'
import { sha256 } from '../../../src/host/sha256.ts'
import { findVariableProblem } from '../../posix/environment-names.ts'
import type { ScriptedFamily } from '../family.ts'
import { layoutOf, type Place, placeOf } from '../layout.ts'
import { renderFinish, renderStop } from './end-script.ts'
import { hasLogger, renderLogScript } from './log-script.ts'
import { presentMarker } from './marker.ts'
import { type NativeText, readNativeText } from './native-text.ts'
import { digestSums } from './records.ts'
import { renderReload, renderReloadSignal } from './reload-script.ts'
import { renderRun } from './run-script.ts'
import { header, type ScriptInput } from './script-input.ts'

/** Process settings of a service with native text only. */
const plainProcess: Process = {
  command: [],
  environment: {},
  environmentFiles: [],
  limits: {},
  restart: { policy: 'always', delay: 1_000 },
  stop: { signal: 'TERM', timeout: 10_000 },
}

/** Least delay between two starts in all of these supervisors, in ms. */
const leastDelay = 1_000

type Files = Record<string, { readonly content: string; readonly mode: number }>

export function renderDefinition(
  family: ScriptedFamily,
  facility: Facility,
  instance: Instance,
  ownership: Ownership,
): Rendered {
  const native = isObject(facility.config) ? readNativeText(facility.config) : {}
  const problems = findProblems(family, facility, native, ownership)
  if (problems.length > 0) return { problems }
  const process = facility.process ?? plainProcess
  const place = placeOf(layoutOf(instance, family), facility.service)
  const files = renderParts(family, facility, process, native, place)
  const sums = Object.entries(files).map(([path, { content }]) => ({ path, sum: sha256(content) }))
  files['reeve/files'] = { content: ownership.files.map(path => `${path}\n`).join(''), mode: 0o644 }
  files['reeve.json'] = { content: presentMarker(ownership), mode: 0o644 }
  return { definition: { files: placeFiles(files, place), digest: digestSums(sums) } }
}

function findProblems(
  family: ScriptedFamily,
  { process, config }: Facility,
  native: NativeText,
  ownership: Ownership,
): { field: string; message: string }[] {
  const problems: { field: string; message: string }[] = []
  if (!process && native.run === undefined) {
    const field = `config.${family.type}`
    problems.push({ field, message: `expected a script "run" in it, since there is no spec.process` })
  }
  if (config !== undefined && !isObject(config)) {
    problems.push({ field: `config.${family.type}`, message: 'expected scripts by name' })
  }
  if (ownership.files.some(path => path.includes('\n'))) {
    problems.push({
      field: 'files',
      message: `the provider ${family.type} can't keep files with a line end in their name`,
    })
  }
  if (!process) return problems
  if (process.restart.delay < leastDelay) {
    const message = `${family.supervisor} waits for at least ${leastDelay} ms between two starts`
    problems.push({ field: 'process.restart.delay', message })
  }
  const environment = findVariableProblem(process)
  if (environment) problems.push(environment)
  if (process.output && hasLogger(process.output)) {
    const message = family.scripts.findRotationProblem(rotationOf(process.output))
    if (message !== undefined) problems.push({ field: 'process.output', message })
  }
  return problems
}

/** Files that a process depends on, by their paths in the definition. */
function renderParts(
  family: ScriptedFamily,
  facility: Facility,
  process: Process,
  native: NativeText,
  place: Place,
): Files {
  const { scripts, supervisor } = family
  const base = {
    facility: facility.name,
    supervisor,
    process,
    scripts,
    isNative: native.run !== undefined,
    isPrepared: facility.process !== undefined,
    records: place.records,
    ...(native.notificationFd !== undefined && { notificationFd: native.notificationFd }),
  }
  const files: Files = {}
  const add = (path: string, content: string | undefined): void => {
    // Some contain values of variables, which are private.
    if (content !== undefined) files[path] = { content, mode: isPrivate(path) ? 0o700 : 0o755 }
  }
  // The run script names all the parts, so they have to be known first; it is one itself.
  const input: ScriptInput = { ...base, parts: [] }
  add('run', '')
  if (scripts.hasFinish) add('finish', renderFinish(input, native.finish !== undefined))
  add('reeve/stop', renderStop(input))
  if (process.reload && 'command' in process.reload) add('reeve/reload', renderReload(input, process.reload.command))
  else if (process.reload && !scripts.hasControl && process.reload.signal !== 'HUP') {
    add('reeve/reload', renderReloadSignal(facility.name, process.reload.signal))
  }
  if (process.output && hasLogger(process.output)) {
    add('log/run', `${header(facility.name)}${renderLogScript(process, process.output, scripts, place.records)}`)
  }
  Object.assign(files, scripts.moreFiles(process, facility.name))
  if (native.notificationFd !== undefined) {
    files['notification-fd'] = { content: `${native.notificationFd}\n`, mode: 0o644 }
  }
  add('reeve/native-run', native.run)
  add('reeve/native-finish', native.finish)
  add('log/run', native.logRun)
  add('check', native.check)
  for (const [letter, content] of Object.entries(native.control ?? {})) add(`control/${letter}`, content)
  add('run', renderRun({ ...base, parts: Object.keys(files) }))
  return files
}

function isPrivate(path: string): boolean {
  return path === 'run' || path === 'reeve/reload'
}

function placeFiles(files: Files, { directory }: Place): DefinitionFile[] {
  return Object.entries(files).map(([path, file]) => ({ path: join(directory, path), ...file }))
}
