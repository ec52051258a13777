import type { ReadHost } from '../core/contracts/host.ts'
import { isGranted } from './access-list.ts'
import { createAccounts } from './accounts.ts'
import { type Clock, createClock } from './clock.ts'
import { execute } from './execution.ts'
import {
  inspectFile,
  readDirectoryNames,
  readFileBytes,
  readFileFacts,
  readFilePart,
  readLinkTarget,
  resolveRealPath,
} from './file-reading.ts'
import { readMountPoints } from './mount-points.ts'
import { findUnsafePart } from './opened-directory.ts'
import { listProcesses, readBootId, readProcessFacts } from './process-facts.ts'
import { checkBusCall, checkCommand, checkQuestion, type ProviderQueries } from './query-check.ts'
import { createSharedBuses, type SharedBuses } from './shared-bus.ts'
import { watchDirectory } from './watching.ts'

/** Default time limit of a query in ms. */
const queryTimeout = 10_000

/** Tries of a query whose server hangs up before it answers. */
const queryTries = 3

export interface ReadHostOptions extends ProviderQueries {
  /** Of deadlines; absent: that of the machine. */
  readonly clock?: Clock
  /** Which it shares with other hosts; absent: its own. */
  readonly buses?: SharedBuses
}

/**
 * The host as observing code gets it (E2): a plain object that has, also at run time, the methods of `ReadHost` and no
 * others.
 */
export function createReadHost(options: ReadHostOptions = {}): ReadHost {
  const { clock = createClock(), buses = createSharedBuses(clock) } = options
  const accounts = createAccounts(Date.now)
  let bootId: string | undefined

  return Object.freeze<ReadHost>({
    now: () => Date.now(),
    readFile: readFileBytes,
    readText(path, limit) {
      const content = readFileBytes(path, limit)
      return content && new TextDecoder().decode(content)
    },
    readPart: readFilePart,
    readProtectedFile: (path, limit) => readFileBytes(path, limit, { isProtected: true }),
    findUnsafePart: (directory, findOptions) => findUnsafePart(directory, findOptions),
    readDirectory: readDirectoryNames,
    facts: readFileFacts,
    inspectFile,
    mountPoints: readMountPoints,
    readLink: readLinkTarget,
    realPath: resolveRealPath,
    process: readProcessFacts,
    processes: listProcesses,
    bootId() {
      bootId ??= readBootId()
      return bootId
    },
    userId: () => process.geteuid?.() ?? 0,
    groupId: () => process.getegid?.() ?? 0,
    findUser: accounts.findUser,
    findGroup: accounts.findGroup,
    findUserById: accounts.findUserById,
    findGroupsOf: accounts.findGroupsOf,
    isGranted,
    async query(command, { timeout = queryTimeout, environment = {}, files } = {}) {
      checkCommand(command, options)
      if (!files) return execute(command, { timeout, environment }, clock)
      const { withQueryFiles } = await import('./query-files.ts') // not needed by most
      return withQueryFiles(files, directory => execute(command, { timeout, environment, directory }, clock))
    },
    async querySocket(socket, request) {
      const { method = 'GET', path, headers = {}, body = '' } = request
      checkQuestion({ method, path, headers, body }, options)
      const { requestSocket } = await import('./socket-request.ts') // not needed by most
      return requestSocket(socket, request, clock, queryTries)
    },
    openBus: target => buses.openReader(target, call => checkBusCall(call, options)),
    watch: (directory, hint) => watchDirectory(directory, hint),
  })
}
