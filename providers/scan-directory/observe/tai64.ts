/** 2^62, and the ten seconds that TAI was ahead of UTC in 1970. */
const epoch = 2n ** 62n + 10n

/** Converts a TAI64N stamp, 12 bytes, to milliseconds since 1970. Most programs ignore leap seconds. */
export function readTai64n(view: DataView, offset: number, leapSeconds = 0): number {
  const seconds = Number(view.getBigUint64(offset) - epoch) - leapSeconds
  return seconds * 1_000 + Math.floor(view.getUint32(offset + 8) / 1_000_000)
}
