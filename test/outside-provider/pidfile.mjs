// @ts-check
import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'

/**
 * An outside provider, as somebody might write one: it starts a process and notes its pid, and that is all. Nobody
 * watches over the process, and nothing starts it at boot.
 *
 * @returns {import('reeve').Provider}
 */
export default function pidfileProvider() {
  return {
    type: 'pidfile',
    capabilities: {
      process: ['command', 'environment', 'workingDirectory'],
      optionsSchema: { type: 'object', properties: { directory: { type: 'string' } }, required: ['directory'] },
    },

    async probe(instance) {
      return typeof instance.options.directory === 'string'
        ? { available: true, version: '1' }
        : { available: false, reason: 'expected spec.pidfile.directory in its Supervisor manifest, found none' }
    },

    render(facility, instance, ownership) {
      if (!facility.process)
        return { problems: [{ field: 'process', message: 'it has no other way to say what to run' }] }
      const { command, environment, workingDirectory } = facility.process
      const runs = { command, environment, workingDirectory }
      const path = paths(instance, facility.service).definition
      const content = `${JSON.stringify({ reeve: ownership, ...runs }, undefined, 2)}\n`
      return { definition: { files: [{ path, content, mode: 0o644 }], digest: digest(runs) } }
    },

    async list(instance, host) {
      return (host.readDirectory(String(instance.options.directory)) ?? [])
        .filter(name => name.endsWith('.json'))
        .flatMap(name => {
          const service = basename(name, '.json')
          const ownership = readJson(host, paths(instance, service).definition)?.reeve
          return ownership ? [{ service, ownership }] : []
        })
    },

    async observe(services, instance, host) {
      return new Map(services.map(service => [service, observeOne(service, instance, host)]))
    },

    async apply(actions, instance, host, report) {
      for (const action of actions) {
        try {
          await act(action, instance, host)
          report({ id: action.id, ok: true })
        } catch (error) {
          report({ id: action.id, ok: false, error: error instanceof Error ? error : new Error(String(error)) })
        }
      }
    },
  }
}

/** @type {(service: string, instance: import('reeve').Instance, host: import('reeve').ReadHost) => import('reeve').Observed} */
function observeOne(service, instance, host) {
  const path = paths(instance, service)
  const definition = readJson(host, path.definition)
  const run = readJson(host, path.pid)
  const process = run && host.process(run.pid)
  const isUp = process && process.startTime === run.startTime && process.state !== 'Z'
  return {
    service,
    state: isUp ? 'running' : definition ? 'stopped' : 'absent',
    enabled: host.facts(path.enabled) !== undefined,
    supervised: true,
    ...(definition ? { ownership: definition.reeve } : {}),
    ...(isUp ? { pid: run.pid, since: run.since, loaded: { definition: run.digest, files: {} } } : {}),
  }
}

/** @type {(action: import('reeve').Action, instance: import('reeve').Instance, host: import('reeve').WriteHost) => Promise<void>} */
async function act({ verb, service, definition }, instance, host) {
  const path = paths(instance, service)
  const { state, pid } = observeOne(service, instance, host)
  if (verb === 'install') {
    host.makeDirectory(String(instance.options.directory), { mode: 0o755 })
    for (const file of definition?.files ?? []) host.writeFile(file.path, file.content, { mode: file.mode })
  }
  if (verb === 'enable') host.writeFile(path.enabled, '', { mode: 0o644 })
  if (verb === 'disable') host.removeFile(path.enabled)
  if ((verb === 'stop' || verb === 'restart' || verb === 'remove') && state === 'running' && pid) {
    host.kill(-pid, 'SIGKILL')
    while (host.process(pid)) await new Promise(resolve => setImmediate(resolve))
  }
  if (verb === 'remove') for (const left of Object.values(path)) host.removeFile(left)
  if (verb === 'restart' || (verb === 'start' && state !== 'running')) {
    const { reeve, ...runs } = readJson(host, path.definition)
    const environment = { PATH: '/usr/bin:/bin', ...runs.environment }
    const started = host.spawn(runs.command, { environment, directory: runs.workingDirectory ?? '/' })
    const { startTime } = host.process(started.pid) ?? {}
    const run = { pid: started.pid, startTime, since: host.now(), digest: digest(runs) }
    host.writeFile(path.pid, JSON.stringify(run), { mode: 0o644 })
  }
}

/** @param {import('reeve').Instance} instance @param {string} service */
function paths(instance, service) {
  const base = join(String(instance.options.directory), service)
  return { definition: `${base}.json`, pid: `${base}.pid`, enabled: `${base}.enabled` }
}

/** @param {import('reeve').ReadHost} host @param {string} path */
function readJson(host, path) {
  const text = host.readText(path)
  return text === undefined ? undefined : JSON.parse(text)
}

/** @param {unknown} value */
function digest(value) {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}
