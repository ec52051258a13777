// @ts-check
import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import { eachAction, endGroup } from 'reeve'

/**
 * A whole provider, for a tiny supervisor made of files: a shell keeps each service running, and notes in a file what it runs. Put your
 * supervisor in its place, method by method; README.md says in which order.
 *
 * @typedef {import('reeve').Instance} Instance
 * @typedef {import('reeve').ReadHost} ReadHost
 * @typedef {ReturnType<typeof paths>} Paths
 * @returns {import('reeve').Provider}
 */
export default function createProvider() {
  return {
    type: 'pidfile',
    // Nothing starts a service at boot but Reeve's controller. Leave it out if your supervisor does.
    startedBy: 'controller',
    capabilities: {
      process: ['command', 'environment', 'workingDirectory'],
      optionsSchema: { type: 'object', properties: { directory: { type: 'string' } }, additionalProperties: false },
    },

    identify: instance => ({ place: directoryOf(instance) }),
    directories: instance => [directoryOf(instance)],

    render(facility, instance, ownership) {
      if (!facility.process)
        return { problems: [{ field: 'process', message: 'it is the only way to say what to run' }] }
      const { command, environment, workingDirectory } = facility.process
      const runs = { command, environment, workingDirectory }
      const path = paths(instance, facility.service).definition
      const content = `${JSON.stringify({ reeve: ownership, ...runs }, undefined, 2)}\n`
      return { definition: { files: [{ path, content, mode: 0o644 }], digest: digest(JSON.stringify(runs)) } }
    },

    openObserver(instance, { host }) {
      const directory = directoryOf(instance)
      return {
        async probe() {
          if (host.facts(directory)) return { available: true, version: '1' }
          return { available: false, reason: `there is no directory ${directory}: make it` }
        },

        async list() {
          const names = (host.readDirectory(directory) ?? []).filter(name => /\.(json|run)$/.test(name))
          const services = new Set(names.map(serviceOf))
          return [...services].flatMap(service => {
            const { ownership } = observe(service, instance, host)
            return ownership ? [{ service, ownership }] : []
          })
        },

        observe: async services => new Map(services.map(service => [service, observe(service, instance, host)])),
        watch: hint => host.watch(directory, name => hint(name && serviceOf(name))),
        [Symbol.dispose]() {},
      }
    },

    openApplier(instance, { host, clock }) {
      return { apply: eachAction(verbsOf(instance, host, clock), { clock }), [Symbol.dispose]() {} }
    },
  }
}

/** In ms: how long a run must last to count as good, and how long a start may take. */
const GOOD_RUN = 10_000
const PATIENCE = 10_000

/**
 * `$1`: the file of the run; `$2`: what was read for it, as JSON; then the command, which may have a PATH of its own. A lock that dies
 * with it sees to it that there are no two.
 */
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

/** @type {(service: string, instance: Instance, host: ReadHost) => import('reeve').Observed} */
function observe(service, instance, host) {
  if (!host.facts(directoryOf(instance))) {
    const message = `there is no directory ${directoryOf(instance)}`
    return { service, state: 'unknown', enabled: 'unknown', supervised: false, message }
  }
  const path = paths(instance, service)
  const definition = readJson(host, path.definition)
  const run = readRun(host, path)
  // While the process is alive, it shows its owner, even if its definition is gone.
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
 * @type {(host: ReadHost, path: Paths) => any}
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

/**
 * What each verb does: done twice it is as done once, and cut off anywhere it can be done again.
 *
 * @type {(instance: Instance, host: import('reeve').WriteHost, clock: import('reeve').Clock) => import('reeve').VerbActs}
 */
function verbsOf(instance, host, clock) {
  /** @type {import('reeve').Act} */
  async function stop(task) {
    const path = paths(instance, task.service)
    const run = readRun(host, path)
    // The keeper ends with the service: they are one group.
    if (run) await endGroup({ pid: run.keeper, group: run.group }, task, { host, clock })
    host.removeFile(path.run)
  }

  return {
    async install({ definition }) {
      await host.writeFiles(definition?.files ?? [])
    },
    enable: ({ service }) => host.writeFile(paths(instance, service).enabled, '', { mode: 0o644 }),
    disable: ({ service }) => host.removeFile(paths(instance, service).enabled),
    stop,
    async start(task) {
      const path = paths(instance, task.service)
      if (readRun(host, path)?.pid) return
      // It may be waiting to restart a failing service.
      await stop(task)
      const { reeve, ...runs } = readJson(host, path.definition)
      const digests = reeve.files.map((/** @type {string} */ file) => [file, digest(host.readFile(file))])
      const loaded = { definition: digest(JSON.stringify(runs)), files: Object.fromEntries(digests) }
      const read = JSON.stringify({ reeve, boot: host.bootId(), loaded })
      const keeper = ['/bin/sh', '-c', KEEPER, 'sh', path.run, read, ...runs.command]
      // A starter that was killed before it recorded anything has the lock.
      host.spawn(['/usr/bin/flock', '--nonblock', '--close', path.lock, ...keeper], {
        environment: { PATH: '/usr/bin:/bin', ...runs.environment },
        directory: runs.workingDirectory ?? '/',
      })
      await task.waitUntil(() => readRun(host, path) !== undefined, { deadline: PATIENCE, interval: 10 })
    },
    // The definition goes last: without its marker, leftovers of a crash would never be removed.
    async remove(task) {
      await stop(task)
      const { definition, ...others } = paths(instance, task.service)
      for (const left of [...Object.values(others), definition]) host.removeFile(left)
    },
  }
}

/**
 * A default instance has no options: `{}`. It is opened too, for supervisors that no manifest names. @param {Instance}
 * instance
 */
function directoryOf({ options, stateDirectory, name }) {
  return String(options.directory ?? join(stateDirectory, 'pidfile', name))
}

/** @param {Instance} instance @param {string} service */
function paths(instance, service) {
  const base = join(directoryOf(instance), service)
  const run = `${base}.run`
  return { definition: `${base}.json`, run, newRun: `${run}.new`, enabled: `${base}.enabled`, lock: `${base}.lock` }
}

/** @param {string} file */
function serviceOf(file) {
  return basename(file).replace(/\.\w+$/, '')
}

/**
 * Rubbish is as good as nothing.
 *
 * @param {ReadHost} host @param {string} path
 */
function readJson(host, path) {
  try {
    return JSON.parse(host.readText(path) ?? 'null') ?? undefined
  } catch {
    return undefined
  }
}

/** @param {string | Uint8Array | undefined} content */
function digest(content) {
  return content === undefined ? 'absent' : createHash('sha256').update(content).digest('hex')
}
