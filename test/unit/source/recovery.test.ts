import { expect, test } from 'vitest'
import { findFormer } from '../../../src/source/recovery.ts'

const mark = { count: 3, commit: 'accepted', tree: 'tree', source: 'source' }

test.each([
  ['nothing, as the first revision is still the newest', mark, 'accepted', undefined],
  ['the accepted one, as a newer one has come', mark, 'newer', { inForce: 'accepted' }],
  ['the healthy one before, as it may be under way', { ...mark, healthy: 'before' }, 'accepted', { inForce: 'before' }],
  ['the accepted one, as a newer one has come', { ...mark, healthy: 'before' }, 'newer', { inForce: 'accepted' }],
  [
    'the one in its place, as it was taken back',
    { ...mark, inForce: 'before' },
    'accepted',
    { inForce: 'before', takenBack: 'accepted' },
  ],
])('in force was %s', (_why, found, newest, former) => {
  expect(findFormer(found, newest)).toEqual(former)
})
