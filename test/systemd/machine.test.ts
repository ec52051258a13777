import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test.skipIf(process.env.REEVE_MACHINE === undefined)('tests here run under a systemd of their own', () => {
  expect(readFileSync('/proc/1/comm', 'utf8')).toBe('systemd\n')
})
