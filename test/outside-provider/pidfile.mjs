// @ts-check
import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * An outside provider, as somebody might write one. A shell keeps each service running, and notes in a file what it runs; a lock that
 * dies with it sees to it that there are no two. Nothing starts a service at boot but Reeve's controller.
 *
 * @returns {import('reeve').Provider}
 */
export default function pidfileProvider() {
  return {
    type: 'pidfile',
    startedBy: 'controller',
    capabilities: {
      process: ['command', 'environment', 'workingDirectory'],
      optionsSchema: { type: 'object', properties: { directory: { type: 'string' } }, required: ['directory'] },
    },

    render(facility, instance, ownership) {
      if (!facility.process)
        return { problems: [{ field: 'process', message: 'it has no other way to say what to run' }] }
      const { command, environment, workingDirectory } = facility.process
      const runs = { command, environment, workingDirectory }
      const path = paths(instance, facility.service).definition
      const content = `${JSON.stringify({ reeve: ownership, ...runs }, undefined, 2)}\n`
      return { definition: { files: [{ path, content, mode: 0o644 }], digest: digest(JSON.stringify(runs)) } }
    },

    openObserver(instance, { host }) {
      return {
        async probe() {
          const reason = findProblem(instance, host)
          return reason === undefined ? { available: true, version: '1' } : { available: false, reason }
        },

        async list() {
          const names = host.readDirectory(String(instance.options.directory)) ?? []
          const files = names.filter(name => /\.(json|run)$/.test(name))
          const services = new Set(files.map(name => name.replace(/\.\w+$/, '')))
          return [...services].flatMap(service => {
            const { ownership } = observeOne(service, instance, host)
            return ownership ? [{ service, ownership }] : []
          })
        },

        async observe(services) {
          return new Map(services.map(service => [service, observeOne(service, instance, host)]))
        },

        watch(hint) {
          const directory = String(instance.options.directory)
          return host.watch(directory, name => hint(name && basename(name).replace(/\.\w+$/, '')))
        },

        [Symbol.dispose]() {},
      }
    },

    openApplier(instance, { host }) {
      return {
        async apply(actions, report) {
          const attempts = actions.map(async action => {
            try {
              await act(action, instance, host)
              report({ id: action.id, ok: true })
            } catch (error) {
              report({ id: action.id, ok: false, error: error instanceof Error ? error : new Error(String(error)) })
            }
          })
          await Promise.all(attempts)
        },

        [Symbol.dispose]() {},
      }
    },
  }
}

/** In ms: a run that lasted so long was a good one. */
const GOOD_RUN = 10_000

/** `$1`: the file of the run; `$2`: what was read for it, as JSON; then the command. The service may have a PATH of its own. */
const KEEPER = `
run=$1 seen=$2 restarts=0; shift 2
read -r _ _ _ _ group _ < /proc/$$/stat
note() {
  printf '{"keeper":%s,"group":%s,"pid":%s,"since":%s,"restarts":%s,"read":%s}' \
    $$ $group $1 $(/bin/date +%s%3N) $restarts "$seen" > "$run.new" && /bin/mv "$run.new" "$run"
}
while :; do
  (exec "$@") & child=$!
  note $child
  wait $child
  restarts=$((restarts+1))
  note 0
  /bin/sleep 1
done`

/** @typedef {import('reeve').Instance} Instance */

/** @type {(instance: Instance, host: import('reeve').ReadHost) => string | undefined} */
function findProblem({ options: { directory } }, host) {
  if (typeof directory !== 'string') return 'expected spec.pidfile.directory in its Supervisor manifest, found none'
  return host.facts(directory) ? undefined : `there is no directory ${directory}: make it`
}

/** @type {(service: string, instance: Instance, host: import('reeve').ReadHost) => import('reeve').Observed} */
function observeOne(service, instance, host) {
  const message = findProblem(instance, host)
  if (message !== undefined) return { service, state: 'unknown', enabled: 'unknown', supervised: false, message }
  const path = paths(instance, service)
  const definition = readJson(host, path.definition)
  const run = readRun(host, path)
  // While the process lives, it says whose it is, though its definition is gone.
  const ownership = definition?.reeve ?? run?.read.reeve
  const isKnown = host.facts(path.definition) !== undefined || run !== undefined
  return {
    service,
    state: run?.pid ? 'running' : run ? 'starting' : isKnown ? 'stopped' : 'absent',
    enabled: host.facts(path.enabled) !== undefined,
    supervised: run === undefined || run.isKept,
    canReload: false,
    ...(ownership ? { ownership } : {}),
    ...(run?.pid ? { pid: run.pid, loaded: run.read.loaded } : {}),
    ...(run ? { since: run.since, restarts: run.isGood ? 0 : run.restarts, totalRestarts: run.restarts } : {}),
  }
}

/**
 * Undefined where nothing runs. A pid that another process has since is nobody's.
 *
 * @type {(host: import('reeve').ReadHost, path: ReturnType<typeof paths>) => any}
 */
function readRun(host, path) {
  const run = readJson(host, path.run)
  if (run?.read.boot !== host.bootId()) return undefined
  const isUp = (/** @type {number} */ pid) => {
    const process = pid > 0 ? host.process(pid) : undefined
    return process?.group === run.group && process?.state !== 'Z'
  }
  const isKept = isUp(run.keeper)
  const isGood = host.now() - run.since > GOOD_RUN
  if (isUp(run.pid)) return { ...run, isKept, isGood }
  return isKept ? { ...run, pid: undefined, isKept, isGood: false } : undefined
}

/** @type {(action: import('reeve').Action, instance: Instance, host: import('reeve').WriteHost) => Promise<void>} */
async function act({ verb, service, definition, signal }, instance, host) {
  signal.throwIfAborted()
  const path = paths(instance, service)
  switch (verb) {
    case 'install':
      for (const file of definition?.files ?? []) host.writeFile(file.path, file.content, { mode: file.mode })
      return
    case 'enable':
      return host.writeFile(path.enabled, '', { mode: 0o644 })
    case 'disable':
      return host.removeFile(path.enabled)
    case 'reload':
      throw new Error('it knows no reload')
    case 'start':
      if (readRun(host, path)?.pid) return
      await stop(path, host, signal)
      return start(path, host, signal)
    case 'restart':
      await stop(path, host, signal)
      return start(path, host, signal)
    case 'stop':
      return stop(path, host, signal)
    case 'remove':
      await stop(path, host, signal)
      for (const left of Object.values(path)) host.removeFile(left)
  }
}

/** @type {(path: ReturnType<typeof paths>, host: import('reeve').WriteHost, signal: AbortSignal) => Promise<void>} */
async function start(path, host, signal) {
  const { reeve, ...runs } = readJson(host, path.definition)
  const files = Object.fromEntries(
    reeve.files.map((/** @type {string} */ file) => [file, digestOf(host.readFile(file))]),
  )
  const read = { reeve, boot: host.bootId(), loaded: { definition: digest(JSON.stringify(runs)), files } }
  const keeper = ['/bin/sh', '-c', KEEPER, 'sh', path.run, JSON.stringify(read), ...runs.command]
  // Who started it and was killed before it had noted anything has the lock.
  host.spawn(['/usr/bin/flock', '--nonblock', '--close', path.lock, ...keeper], {
    environment: { PATH: '/usr/bin:/bin', ...runs.environment },
    directory: runs.workingDirectory ?? '/',
  })
  while (!readRun(host, path)) await sleep(10, undefined, { signal })
}

/** @type {(path: ReturnType<typeof paths>, host: import('reeve').WriteHost, signal: AbortSignal) => Promise<void>} */
async function stop(path, host, signal) {
  for (let run = readRun(host, path); run; run = readRun(host, path)) {
    host.kill(-run.group, 'SIGKILL')
    await sleep(10, undefined, { signal })
  }
  host.removeFile(path.run)
}

/** @param {Instance} instance @param {string} service */
function paths(instance, service) {
  const base = join(String(instance.options.directory), service)
  return { definition: `${base}.json`, run: `${base}.run`, enabled: `${base}.enabled`, lock: `${base}.lock` }
}

/**
 * Rubbish is as good as nothing.
 *
 * @param {import('reeve').ReadHost} host @param {string} path
 */
function readJson(host, path) {
  try {
    return JSON.parse(host.readText(path) ?? 'null') ?? undefined
  } catch {
    return undefined
  }
}

/** @param {Uint8Array | undefined} content */
function digestOf(content) {
  return content ? digest(content) : 'absent'
}

/** @param {string | Uint8Array} content */
function digest(content) {
  return createHash('sha256').update(content).digest('hex')
}
