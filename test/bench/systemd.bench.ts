import { expect, test } from 'vitest'
import { ansible } from './unit-ansible.ts'
import { compareBatches } from './unit-batches.ts'
import { measureCorrection } from './unit-correction.ts'
import { puppet } from './unit-puppet.ts'
import { reeveOnSystemd } from './unit-reeve.ts'
import { measureRest } from './unit-rest.ts'
import { shellBatch } from './unit-shell.ts'

const aims = 'Aims: from nothing 1.3 × shell; nothing to do with 1,000 under 1 s'

/** One after the other, on one machine. */
test('a real systemd is here', () => {
  expect(process.env.REEVE_MACHINE, 'this bench needs root and the right to make namespaces').toBeDefined()
})

test('batches', () =>
  compareBatches('systemd', `Whole processes on one booted systemd, whose disk is in memory. ${aims}`, [
    { contenders: [shellBatch, reeveOnSystemd], count: 100, rounds: 5 },
    { contenders: [shellBatch, reeveOnSystemd], count: 1_000, rounds: 3 },
  ]))

test('drift with a running controller', measureCorrection)

test('at rest', measureRest)

// They take minutes, the others seconds.
test('peers', () =>
  compareBatches('systemd-peers', 'As above, with others', [
    { contenders: [shellBatch, reeveOnSystemd, puppet, ansible], count: 100, rounds: 1 },
  ]))
