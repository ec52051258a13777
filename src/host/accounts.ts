import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import type { ReadHost, User } from '../core/contracts/host.ts'
import type { UserIdentity } from '../core/model/user-identity.ts'
import { toolEnvironment } from './tool-environment.ts'

export type Accounts = Pick<ReadHost, 'findUser' | 'findGroup' | 'findUserById' | 'findGroupsOf'>

/** Time in ms that an answer of `getent` is cached, as each costs a process. */
const answerLifetime = 10_000

/**
 * Looks users and groups up by name: in /etc/passwd and /etc/group, and for names that aren't there (LDAP, systemd's
 * dynamic users) by `getent`, where the host has it.
 */
export function createAccounts(now: () => number): Accounts {
  const users = createLookup('passwd', parsePasswdLine, now)
  const groups = createLookup('group', parseGroupLine, now)
  return {
    findUser: users,
    findGroup: groups,
    findUserById: remember(findUserById, String, now),
    findGroupsOf: remember(findGroupsOf, ({ name, gid }) => `${name} ${gid}`, now),
  }
}

/** Caches an answer for a while, as it costs a process. */
function remember<Question, Answer>(
  find: (question: Question) => Answer,
  keyOf: (question: Question) => string,
  now: () => number,
): (question: Question) => Answer {
  const answers = new Map<string, { readonly answer: Answer; readonly at: number }>()
  return question => {
    const key = keyOf(question)
    const known = answers.get(key)
    if (known && now() - known.at < answerLifetime) return known.answer
    const answer = find(question)
    answers.set(key, { answer, at: now() })
    return answer
  }
}

/** Runs a process, which is rare: only for files in directories that a service's user can write. */
function findUserById(uid: number): UserIdentity | undefined {
  const line = /^\d+$/.test(String(uid)) ? ask('getent', ['passwd', String(uid)]) : undefined
  const [name, user] = (line === undefined ? undefined : parsePasswdLine(line)) ?? []
  return name !== undefined && user?.uid === uid ? { name, uid, gid: user.gid } : undefined
}

function findGroupsOf({ name, gid }: UserIdentity): ReadonlySet<number> {
  const answer = isName(name) ? ask('id', ['-G', name]) : undefined
  return new Set([gid, ...(answer ?? '').split(' ').filter(isId).map(Number)])
}

/** First line of the program's output; undefined if it fails. */
function ask(program: string, args: readonly string[]): string | undefined {
  const answer = spawnSync(program, args, { encoding: 'utf8', timeout: 5_000, env: toolEnvironment(process.env) })
  return answer.status === 0 ? answer.stdout.split('\n')[0] : undefined
}

/** `name:password:uid:gid:comment:home:shell`. Undefined if the line is no such entry. */
export function parsePasswdLine(line: string): [name: string, user: User] | undefined {
  const [name, , uid, gid, , home, shell] = line.split(':')
  if (!name || !isId(uid) || !isId(gid) || home === undefined) return undefined
  return [name, { uid: Number(uid), gid: Number(gid), home, shell: shell || '/bin/sh' }]
}

/** `name:password:gid:members`. Undefined if the line is no such entry. */
export function parseGroupLine(line: string): [name: string, gid: number] | undefined {
  const [name, , gid] = line.split(':')
  return name && isId(gid) ? [name, Number(gid)] : undefined
}

function isId(text: string | undefined): text is string {
  return text !== undefined && /^\d+$/.test(text)
}

function createLookup<T>(
  database: 'passwd' | 'group',
  parseLine: (line: string) => [string, T] | undefined,
  now: () => number,
): (name: string) => T | undefined {
  const path = `/etc/${database}`
  let version = ''
  let entries = new Map<string, T>()
  const askOnce = remember((name: string) => askGetent(database, name, parseLine), String, now)

  function readEntries(): Map<string, T> {
    const current = versionOf(path)
    if (current !== version) {
      entries = current === '' ? new Map() : parseEntries(readFileSync(path, 'utf8'), parseLine)
      version = current
    }
    return entries
  }

  return name => readEntries().get(name) ?? askOnce(name)
}

function parseEntries<T>(text: string, parseLine: (line: string) => [string, T] | undefined): Map<string, T> {
  const entries = new Map<string, T>()
  for (const line of text.split('\n')) {
    const entry = parseLine(line)
    // The first of two entries counts, as it does for the C library.
    if (entry && !entries.has(entry[0])) entries.set(entry[0], entry[1])
  }
  return entries
}

function versionOf(path: string): string {
  const facts = statSync(path, { throwIfNoEntry: false })
  return facts ? `${facts.ino}:${facts.size}:${facts.mtimeMs}` : ''
}

function askGetent<T>(
  database: string,
  name: string,
  parseLine: (line: string) => [string, T] | undefined,
): T | undefined {
  const entry = isName(name) ? parseLine(ask('getent', [database, name]) ?? '') : undefined
  return entry?.[0] === name ? entry[1] : undefined
}

/** getent takes a number for an id, and an option for an option: neither is a name. */
function isName(name: string): boolean {
  return name !== '' && !/^\d+$/.test(name) && !name.startsWith('-') && !/[:\n\0]/.test(name)
}
