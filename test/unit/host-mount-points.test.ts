import { expect, test } from 'vitest'
import { parseMountPoints, readMountPoints } from '../../src/host/mount-points.ts'

test('mount points are told as they are called, blanks, backslashes and other bytes too', () => {
  const text = [
    '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
    '23 22 8:1 /source /etc/with\\040blank\\134and\\011tab.conf rw - ext4 /dev/sda1 rw',
    '24 22 0:5 / /dev/ä rw - tmpfs tmpfs rw',
    '',
  ].join('\n')
  expect([...parseMountPoints(text)]).toEqual(['/', '/etc/with blank\\and\ttab.conf', '/dev/ä'])
  expect(parseMountPoints('nonsense').size).toBe(0)
  expect(readMountPoints()).toContain('/proc')
})
