import { expect, test } from 'vitest'
import { parseMounts, readMountPoints } from '../../../src/host/mount-points.ts'

test('mount points keep their names, including blanks, backslashes and other bytes', () => {
  const text = [
    '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
    '23 22 8:1 /source /etc/with\\040blank\\134and\\011tab.conf rw - ext4 /dev/sda1 rw',
    '24 22 0:5 / /dev/ä rw - tmpfs tmpfs rw',
    '',
  ].join('\n')
  expect(parseMounts(text).map(({ point }) => point)).toEqual(['/', '/etc/with blank\\and\ttab.conf', '/dev/ä'])
  expect(parseMounts('nonsense')).toEqual([])
  expect(readMountPoints()).toContain('/proc')
})

test('a mount is read-only by its own options or by those of its file system', () => {
  const text = [
    '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro',
    '23 22 8:2 / /srv ro,relatime - ext4 /dev/sdb1 rw',
    '24 22 8:3 / /var rw - ext4 /dev/sdc1 ro',
  ].join('\n')
  expect(parseMounts(text)).toEqual([
    { point: '/', isReadOnly: false },
    { point: '/srv', isReadOnly: true },
    { point: '/var', isReadOnly: true },
  ])
})
