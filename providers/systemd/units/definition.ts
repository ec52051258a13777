import { basename, join } from 'node:path'
import type { Rendered } from '../../../src/core/contracts/provider.ts'
import { createDictionary } from '../../../src/core/dictionary.ts'
import type { DefinitionFile } from '../../../src/core/model/definition.ts'
import type { Facility, Instance } from '../../../src/core/model/facility.ts'
import type { Ownership } from '../../../src/core/state/observed.ts'
import { sha256 } from '../../../src/host/sha256.ts'
import { triggerNames } from './activation-trigger.ts'
import { type Configuration, readConfiguration } from './configuration.ts'
import { bootTargetOf, unitDirectoryOf } from './layout.ts'
import { definitionVariable, digestSections, markerSections } from './marker.ts'
import { withoutIdleFiles } from './process-inputs.ts'
import { type Problem, processSections } from './process-sections.ts'
import { findTouchedUnits } from './reach.ts'
import { isYes, mergeSections, readSections, type Sections, writeSections } from './unit-file.ts'
import { hasSuffix, isTemplate, serviceOfUnit, unitOf } from './unit-name.ts'

/** Largest size of a file, in bytes. */
const LONGEST_NAME = 255

const triggerTargets = { socket: 'sockets.target', timer: 'timers.target' } as const

/** Units of one facility: its own, those that start it, drop-ins. */
export function renderDefinition(
  facility: Facility,
  instance: Instance,
  ownership: Ownership,
  servicePaths: ReadonlySet<string> = new Set(),
): Rendered {
  const config = readConfiguration(facility.config)
  const unit = unitOf(facility.service)
  const problems = findProblems(facility, config)
  const files: DefinitionFile[] = []
  const add = (name: string, text: string): void => {
    files.push({
      path: join(unitDirectoryOf(instance), name),
      content: `${notice(facility, instance, ownership)}\n${text}`,
      mode: 0o644,
    })
  }
  const own = renderUnit(facility, config, instance, { servicePaths, problems })
  if (problems.length > 0) return { problems }
  const triggers = renderTriggers(facility, config)
  // For configuration files of a service that somebody else defines, there has to be a file for the marker.
  const added = own === undefined && Object.keys(config.dropIns).length === 0 ? { reeve: '' } : config.dropIns
  const dropIns = Object.entries(added).map(([name, content]) => [name, textOf(content)] as const)
  const digest = sha256(JSON.stringify([own, triggers, dropIns]))
  const isAddition = own === undefined
  const marker = markerSections(isAddition ? { ...ownership, isAddition } : ownership)
  const service = { Environment: [`${definitionVariable}=${digest}`] }
  if (own !== undefined) add(unit, [own, writeSections({ Service: service, ...marker })].join('\n'))
  for (const [name, text] of Object.entries(triggers)) {
    add(`${facility.service}.${name}`, [text, writeSections(marker)].join('\n'))
  }
  dropIns.forEach(([name, text], index) => {
    const told = unit.endsWith('.service') ? { Service: service } : digestSections(digest)
    const sections = isAddition && index === 0 ? mergeSections(told, marker) : marker
    add(join(`${unit}.d`, `${name}.conf`), [text, writeSections(sections)].join('\n'))
  })
  const long = files.find(({ path }) => path.split('/').some(part => part.length > LONGEST_NAME))
  if (long)
    return {
      problems: [{ field: 'serviceName', message: `no file system takes a name as long as that of ${long.path}` }],
    }
  const touches = listTouched(facility.service, unit, files)
  return { definition: { files, digest, ...(isAddition && { isAddition }), ...(touches.length > 0 && { touches }) } }
}

/** All units except those of the facility itself. */
function listTouched(service: string, unit: string, files: readonly DefinitionFile[]): string[] {
  // A socket or timer that isn't declared here is another's, if there is one.
  const names = new Set(files.map(({ path }) => basename(path)))
  const own = new Set([unit, ...triggerNames(service).filter(name => names.has(name))])
  const found = files.flatMap(({ path, content }) => {
    // In a drop-in, specifiers refer to the unit that it applies to.
    const name = basename(path)
    return findTouchedUnits(content, own.has(name) ? name : unit)
  })
  return [...new Set(found)]
    .filter(name => !own.has(name))
    .map(serviceOfUnit)
    .sort()
}

function textOf(content: Sections | string): string {
  return typeof content === 'string' ? `${content.trimEnd()}\n` : writeSections(content)
}

function findProblems(
  { process, service, files }: Facility,
  { unit, text, dropIns, socket, timer, ambiguous }: Configuration,
): Problem[] {
  const problems: Problem[] = []
  const complain = (field: string, message: string): number => problems.push({ field, message })
  const isWhole = process !== undefined || unit !== undefined || text !== undefined
  const triggers = { socket, timer }
  const isTriggered = socket !== undefined || timer !== undefined
  if (!isWhole && !isTriggered && files.length === 0 && Object.keys(dropIns).length === 0) {
    complain('config.systemd', 'expected a unit, a text, a source, a socket, a timer or drop-ins')
  }
  if (isWhole && hasSuffix(service)) complain('serviceName', 'it gets its suffix by itself: leave it out')
  if ((isWhole || isTriggered) && isTemplate(unitOf(service))) {
    complain('serviceName', `a template is only a pattern: name an instance of it, ${service}NAME`)
  }
  if (text?.trim() === '') complain('config.systemd', 'the unit is empty')
  if (text !== undefined && unit !== undefined) complain('config.systemd.text', 'it cannot be had together with unit')
  if (!isWhole && isTriggered && hasSuffix(service)) {
    complain('config.systemd', `a socket or timer starts a service, and ${service} is none`)
  }
  for (const key of ambiguous) complain(`config.systemd.${key}`, 'its text cannot be had together with anything else')
  if (typeof socket === 'object' && socket.Accept?.some(value => isYes(value))) {
    complain('config.systemd.socket', 'with Accept=yes it starts instances of a template, and Reeve writes none')
  }
  for (const [kind, keys] of Object.entries(triggers)) {
    if (typeof keys === 'string' ? keys.trim() === '' : keys !== undefined && Object.keys(keys).length === 0) {
      complain(`config.systemd.${kind}`, 'the unit is empty')
    }
  }
  if (unit !== undefined && process === undefined && unit.Service?.ExecStart === undefined) {
    complain('config.systemd.unit', 'without spec.process, the whole unit is expected, with an ExecStart')
  }
  return problems
}

/** Undefined if the unit itself is somebody else's. */
function renderUnit(
  { name, process }: Facility,
  config: Configuration,
  instance: Instance,
  { servicePaths, problems }: { readonly servicePaths: ReadonlySet<string>; readonly problems: Problem[] },
): string | undefined {
  if (config.text !== undefined) return `${config.text.trimEnd()}\n`
  if (process === undefined && config.unit === undefined) return undefined
  const isTriggered = config.socket !== undefined || config.timer !== undefined
  const install: Sections = isTriggered ? {} : { Install: { WantedBy: [bootTargetOf(instance)] } }
  const user: Sections = { Service: { User: process?.user === undefined ? [] : [process.user] } }
  const dropIns = Object.values(config.dropIns).map(one => (typeof one === 'string' ? readSections(one) : one))
  const isRoot = runsAsRoot([config.unit ?? {}, ...dropIns].reduce(mergeSections, user).Service ?? {})
  // Root would be redirected in the wrapper, too: systemd is to open them, and that is refused; see root-paths.ts.
  const paths = isRoot ? new Set<string>() : servicePaths
  const rendered =
    process === undefined ? { sections: {}, problems: [] } : processSections(process, name, paths, { isTriggered })
  problems.push(...rendered.problems)
  const merged = mergeSections(mergeSections(rendered.sections, install), config.unit ?? {})
  return writeSections(withoutIdleFiles(merged, rendered.sections, { reload: process?.reload, dropIns }))
}

/** By the keys of `[Service]`. */
function runsAsRoot({ User, DynamicUser }: Readonly<Record<string, readonly string[]>>): boolean {
  const user = User?.at(-1)
  return user === undefined ? !isYes(DynamicUser?.at(-1) ?? '') : user === 'root' || Number(user) === 0
}

function renderTriggers({ name }: Facility, config: Configuration): Readonly<Record<string, string>> {
  const triggers = createDictionary<string>()
  for (const kind of ['socket', 'timer'] as const) {
    const keys = config[kind]
    if (keys === undefined) continue
    if (typeof keys === 'string') {
      triggers[kind] = `${keys.trimEnd()}\n`
      continue
    }
    triggers[kind] = writeSections({
      Unit: { Description: [`${name} (${kind})`] },
      [kind === 'socket' ? 'Socket' : 'Timer']: keys,
      Install: { WantedBy: [triggerTargets[kind]] },
    })
  }
  return triggers
}

function notice({ name, service }: Facility, { options }: Instance, { owner }: Ownership): string {
  if (owner.endsWith('/controller')) {
    const edit = `systemctl ${options.scope === 'user' ? '--user ' : ''}edit ${service}`
    return `# Written by reeve install, which puts back what is changed here. For changes of your own: ${edit}`
  }
  return `# Written by Reeve for facility ${name}: what is changed here is put back. Change the manifest instead.`
}
