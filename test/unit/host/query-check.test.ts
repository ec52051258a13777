import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CommandRule, SocketQuestion, SocketRule } from '../../../src/core/contracts/query-rules.ts'
import { checkCommand, checkQuestion } from '../../../src/host/query-check.ts'

describe('E2: a command line from a provider', () => {
  const looksAt =
    (...files: readonly string[]) =>
    (command: readonly string[]): boolean =>
      command[0] === 'monit' && files.includes(command[2] ?? '') && command[3] === 'status'

  test.each<[rule: CommandRule, command: string, isAllowed: boolean]>([
    [['systemctl', 'show'], 'systemctl show web', true],
    [['systemctl', 'show'], 'systemctl', false],
    [['systemctl', 'show'], 'systemctl stop web', false],
    [[], 'systemctl show', false],
    [looksAt('a', 'b'), 'monit -c b status', true],
    [looksAt('a', 'b'), 'monit -c b stop', false],
    [looksAt('a', 'b'), 'monit -c c status', false],
    [
      (): boolean => {
        throw new Error('a fault')
      },
      'monit',
      false,
    ],
    // Values that are no booleans, as JavaScript may give them.
    [() => JSON.parse('"yes"'), 'monit', false],
  ])('%o: %s: %s', (rule, command, isAllowed) => {
    const check = (): void => checkCommand(command.split(' '), { queries: [['never', 'this'], rule] })
    if (isAllowed) expect(check).not.toThrow()
    else expect(check).toThrow(expect.objectContaining({ code: 'internal' }))
  })

  test('is refused with the provider, its declaration, and the request', () => {
    const queries = [['monit', '-V'], (): boolean => false] as const
    expect(() => checkCommand(['monit', '-c', '/etc/monitrc', 'stop', 'web'], { provider: 'monit', queries })).toThrow(
      'expected a query that provider monit declares in capabilities.queries (monit -V, what a function says), ' +
        'found: monit -c /etc/monitrc stop web',
    )
    expect(() => checkCommand(['true'], {})).toThrow('a provider declares in capabilities.queries (none), found: true')
  })
})

describe('E2: a socket request from a provider', () => {
  const lists: SocketRule = ({ body }) => body.includes('<methodName>supervisor.getAllProcessInfo</methodName>')
  const ask = (path: string, body = '', method = body === '' ? 'GET' : 'POST'): SocketQuestion => {
    return { method, path, headers: {}, body }
  }

  test.each<[rule: SocketRule, question: SocketQuestion, isAllowed: boolean]>([
    [{ method: 'GET', path: '/status' }, ask('/status'), true],
    [{ method: 'GET', path: '/status' }, ask('/status/web'), true],
    [{ method: 'GET', path: '/status' }, ask('/status?format=xml&path=/../x'), true],
    [{ method: 'GET', path: '/status' }, ask('/status', '', 'POST'), false],
    [{ method: 'GET', path: '/status' }, ask('/statuses'), false],
    [{ method: 'GET', path: '/status' }, ask('/stop'), false],
    [{ method: 'GET', path: '/status/' }, ask('/status'), false],
    [{ method: 'GET', path: '/' }, ask('/anything'), true],
    [lists, ask('/RPC2', '<methodName>supervisor.getAllProcessInfo</methodName>'), true],
    [lists, ask('/RPC2', '<methodName>supervisor.stopProcess</methodName>'), false],
    [lists, ask('/RPC2'), false],
  ])('%o: %o: %s', (rule, question, isAllowed) => {
    const check = (): void => checkQuestion(question, { socketQueries: [rule] })
    if (isAllowed) expect(check).not.toThrow()
    else expect(check).toThrow(expect.objectContaining({ code: 'internal' }))
  })

  test('is refused with the provider, its declaration, and the request', () => {
    const socketQueries = [{ method: 'GET', path: '/status' }, lists] as const
    expect(() => checkQuestion(ask('/stop', 'now'), { provider: 'finit', socketQueries })).toThrow(
      'provider finit declares in capabilities.socketQueries (GET /status, what a function says), found: POST /stop',
    )
  })

  test('stays below the declared path, however it is written', () => {
    const part = fc.constantFrom('status', 'stop', '.', '..', '', '%2e%2e', '%2e.', '..%2f', '\\', ';x', '#', '?', '%')
    const rule = { method: 'GET', path: '/status' }
    let allowed = 0
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), parts => {
        const path = `/status/${parts.join('/')}`
        try {
          checkQuestion(ask(path), { socketQueries: [rule] })
        } catch {
          return
        }
        allowed += 1
        // As a server reads it that decodes twice.
        const read = new URL(decodeURIComponent(decodeURIComponent(path.split('?')[0] ?? '')), 'http://host').pathname
        expect(read === '/status' || read.startsWith('/status/')).toBe(true)
      }),
    )
    expect(allowed).toBeGreaterThan(10)
  })
})
