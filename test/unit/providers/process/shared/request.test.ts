import { expect, test } from 'vitest'
import { parseRequest, parseResponse } from '../../../../../providers/process/shared/request.ts'

test('a request is a list of actions', () => {
  const actions = [{ id: 'web/start', verb: 'start', service: 'web', after: 3 }]
  expect(parseRequest(JSON.stringify({ actions }))).toEqual({ actions })
  expect(parseRequest('{"actions":[]}')).toEqual({ actions: [] })
})

test('an invalid request is refused as a whole: a service name becomes part of paths', () => {
  for (const action of [
    { id: 'a', verb: 'start', service: '../etc' },
    { id: 'a', verb: 'start', service: '' },
    { id: 'a', verb: 'erase', service: 'web' },
    { verb: 'start', service: 'web' },
    'start',
  ]) {
    expect(parseRequest(JSON.stringify({ actions: [action] }))).toBeUndefined()
  }
  for (const line of ['', 'null', '{}', '{"actions":{}}']) expect(parseRequest(line)).toBeUndefined()
})

test('a response without an error is a success', () => {
  expect(parseResponse('{"id":"a"}')).toEqual({ id: 'a' })
  expect(parseResponse('{"id":"a","error":"no"}')).toEqual({ id: 'a', error: 'no' })
  expect(parseResponse('nonsense')).toBeUndefined()
})
