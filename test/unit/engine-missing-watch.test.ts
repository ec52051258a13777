import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createMissingWatch } from '../../src/engine/missing-watch.ts'
import { createReadHost } from '../../src/host/read-host.ts'
import { makeFacility } from '../simulation/declaration.ts'

test('only what is missing is watched for, and who misses it no more is told once', async () => {
  const place = mkdtempSync(join(tmpdir(), 'reeve-missing-'))
  onTestFinished(() => rmSync(place, { recursive: true }))
  const there = join(place, 'there')
  mkdirSync(there)
  const late = join(place, 'late', 'program')
  const hints: string[] = []
  const host = createReadHost()
  const watches: string[] = []
  const watch = createMissingWatch(
    {
      ...host,
      watch(directory, hint) {
        watches.push(directory)
        return host.watch(directory, hint)
      },
    },
    name => hints.push(name),
  )
  onTestFinished(() => watch[Symbol.dispose]())
  const facilities = [
    makeFacility({ name: 'web', command: [late] }),
    makeFacility({ name: 'db', command: [late] }),
    makeFacility({ name: 'fine', command: [there] }),
  ]
  watch.follow(facilities)
  watch.follow(facilities)
  expect(watches).toEqual([join(place, 'late')])
  mkdirSync(join(place, 'late'))
  writeFileSync(late, '')
  await expect.poll(() => hints.toSorted()).toEqual(['db', 'web'])
  watch.follow(facilities)
  rmSync(late)
  writeFileSync(late, '')
  expect(hints).toHaveLength(2)
})

test('what came between two looks is told of by the second, though its event comes too late', () => {
  const place = mkdtempSync(join(tmpdir(), 'reeve-missing-'))
  onTestFinished(() => rmSync(place, { recursive: true }))
  const late = join(place, 'program')
  const hints: string[] = []
  const mute = { ...createReadHost(), watch: () => ({ [Symbol.dispose]() {} }) }
  const watch = createMissingWatch(mute, name => hints.push(name))
  const facilities = [makeFacility({ name: 'web', command: [late] })]
  watch.follow(facilities)
  writeFileSync(late, '')
  watch.follow(facilities)
  expect(hints).toEqual(['web'])
})
