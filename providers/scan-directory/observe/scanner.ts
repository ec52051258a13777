import { basename, isAbsolute, join } from 'node:path'
import type { ReadHost } from '../../../src/core/contracts/host.ts'
import type { Availability } from '../../../src/core/contracts/provider.ts'
import { findInsecurePath } from '../../../src/core/paths/path-permissions.ts'
import { messageOf } from '../../../src/core/reeve-error.ts'
import { tryTo } from '../../../src/core/try-to.ts'
import { isLiving } from '../../../src/host/process-identity.ts'
import { findTool } from '../../posix/tools.ts'
import type { Family, Scanner } from '../family.ts'
import type { Layout } from '../layout.ts'
import { findStarter } from './evidence.ts'

/**
 * Process that scans the instance's directory; undefined if there is none. Anybody can run a process of that name: only
 * those of root and this user count, and of both, this user's.
 */
export function findScanner(family: Family, layout: Layout, host: ReadHost): Scanner | undefined {
  const own = host.userId()
  const found = listScanners(family, layout, host).filter(({ userId }) => userId === 0 || userId === own)
  return found.find(({ userId }) => userId === own) ?? found[0]
}

function listScanners(family: Family, layout: Layout, host: ReadHost): Scanner[] {
  const directory = host.realPath(layout.services)
  if (directory === undefined) return []
  return host.processes().flatMap(pid => readScanner(family, directory, pid, host) ?? [])
}

/** Undefined: the process doesn't scan the directory, which is given resolved. */
function readScanner(family: Family, directory: string, pid: number, host: ReadHost): Scanner | undefined {
  const words = readCommandLine(pid, host)
  if (basename(words[0] ?? '') !== family.scanner) return undefined
  const named = scannedDirectory(words)
  const inside = `/proc/${pid}/cwd`
  const path = isAbsolute(named) ? named : family.scansFromInside ? inside : join(inside, named)
  const facts = host.process(pid)
  if (!isLiving(facts) || resolve(path, host) !== directory) return undefined
  const userId = findStarter(pid, host)
  return userId === undefined ? undefined : { pid, words, isPaused: facts.state === 'T', userId }
}

function readCommandLine(pid: number, host: ReadHost): string[] {
  // Another user's, on a host that hides them, can't be read.
  return tryTo(() => host.readText(`/proc/${pid}/cmdline`)?.split('\0')) ?? []
}

function resolve(path: string, host: ReadHost): string | undefined {
  return tryTo(() => host.realPath(path)) // another user's
}

/** Its first argument that is no option, or without one, its working directory. */
function scannedDirectory([, ...words]: readonly string[]): string {
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? ''
    if (/^-[tcdCLX]$/.test(word))
      index += 1 // of s6-svscan, with a separate value
    else if (word !== '' && !word.startsWith('-')) return word
  }
  return '.'
}

/** Reading the command lines of all processes takes long on a busy host: the scanner that was found last is tried first. */
export function createProbe(family: Family, layout: Layout, host: ReadHost): () => Availability {
  let last: number | undefined
  return () => {
    const findAgain = (): Scanner | undefined => {
      const directory = host.realPath(layout.services)
      if (directory === undefined || last === undefined) return undefined
      const scanner = readScanner(family, directory, last, host)
      return scanner?.userId === host.userId() ? scanner : undefined
    }
    return probeInstance(family, layout, host, () => {
      const scanner = findAgain() ?? findScanner(family, layout, host)
      last = scanner?.pid
      return scanner
    })
  }
}

function probeInstance(family: Family, layout: Layout, host: ReadHost, find: () => Scanner | undefined): Availability {
  const unavailable = (reason: string): Availability => ({ available: false, reason })
  const missing = family.tools.filter(tool => findTool(host, tool) === undefined)
  if (missing.length > 0) {
    return unavailable(`there is no ${missing.join(', no ')} on this host; install the package ${family.debianPackage}`)
  }
  try {
    const services = host.realPath(layout.services)
    if (services === undefined) {
      return unavailable(`there is no directory ${layout.services}; start ${family.scanner} on it, or name another`)
    }
    if (services === host.realPath(layout.definitions)) {
      return unavailable(
        `serviceDirectory and definitionDirectory are both ${services}, so half-written services would be started; choose another definitionDirectory`,
      )
    }
    const own = host.userId()
    const notOurs = findStranger(layout, own, host)
    if (notOurs !== undefined) return unavailable(notOurs)
    // The user of Reeve runs its contents too: a reload command, or a stop script.
    for (const path of own === 0 ? [layout.services, layout.definitions] : []) {
      const insecure = findInsecurePath(path, host, own)
      if (insecure) return unavailable(insecure.problem)
    }
    const scanner = find()
    if (!scanner) {
      const [stranger] = listScanners(family, layout, host)
      const whose = stranger
        ? ` as root or as user ${own}, but a process of user ${stranger.userId} says that it does`
        : ''
      return unavailable(`no ${family.scanner} scans ${layout.services}${whose}; start one`)
    }
    if (scanner.isPaused)
      return unavailable(`${family.scanner} (pid ${scanner.pid}) is stopped; continue it with kill -CONT`)
    if (own !== scanner.userId) {
      return unavailable(
        `${family.scanner} is run by user ${scanner.userId}, and this is user ${own}: run reeve as that user, or ${family.scanner} as this one`,
      )
    }
    return { available: true, lacks: findLacks(family, scanner, host) }
  } catch (error) {
    return unavailable(messageOf(error))
  }
}

/** Reason why Reeve must not work there; undefined: it may. */
function findStranger({ owner }: Layout, own: number, host: ReadHost): string | undefined {
  if (owner === undefined) return undefined
  const user = host.findUser(owner)
  if (user?.uid === own) return undefined
  if (!user) return `it is declared to be user ${owner}'s, and there is no such user`
  return `it is declared to be user ${owner}'s, and this is user ${own}: run reeve as ${owner}`
}

function findLacks(
  family: Family,
  scanner: Scanner,
  host: ReadHost,
): NonNullable<(Availability & { available: true })['lacks']> {
  const isRoot = scanner.userId === 0
  const noRoot = `${family.scanner} does not run as root, and so can change neither user nor group`
  return {
    ...(!isRoot && { user: noRoot, group: noRoot }),
    ...(findTool(host, 'prlimit') === undefined && {
      limits: 'there is no prlimit; install the package util-linux (on Alpine: util-linux-misc)',
    }),
  }
}
