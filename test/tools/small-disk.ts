import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A small file system of its own in memory, which can be filled up and made read-only. Needs the right to mount. To be
 * created before its users: its disposal fails while it is in use.
 */
export interface SmallDisk extends Disposable {
  readonly directory: string
  /** Fills it to the last byte. Files can still be created and removed, as on most full disks. */
  fill(): void
  /** Frees what `fill` took. */
  free(): void
  setReadOnly(isReadOnly: boolean): void
}

/** `at`: an empty directory, or one to be created. Absent: a new one. */
export function mountSmallDisk(at: string = mkdtempSync(join(tmpdir(), 'reeve-disk-'))): SmallDisk {
  mkdirSync(at, { recursive: true, mode: 0o700 })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', at])
  const ballast = join(at, 'ballast')
  return {
    directory: at,
    fill() {
      for (const block of [64 * 1024, 4096, 1]) while (append(ballast, block));
    },
    free: () => rmSync(ballast, { force: true }),
    setReadOnly(isReadOnly) {
      // The kernel refuses it to one that is written to; as after an error of the device, open files stay open.
      if (!isReadOnly) return void execFileSync('umount', ['-l', at])
      execFileSync('mount', ['--bind', at, at])
      execFileSync('mount', ['-o', 'remount,bind,ro', at])
    },
    [Symbol.dispose]() {
      // Read-only, it is two. Killed processes may take a moment to be gone.
      const deadline = Date.now() + 10_000
      while (readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${at} `)) {
        const { status, stderr } = spawnSync('umount', [at], { encoding: 'utf8' })
        if (status !== 0 && Date.now() > deadline) throw new Error(stderr)
        if (status !== 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
      }
      rmSync(at, { recursive: true, force: true })
    },
  }
}

/** False: there is no space. */
function append(file: string, size: number): boolean {
  const fd = openSync(file, 'a', 0o600)
  try {
    return writeSync(fd, Buffer.alloc(size)) === size
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false
    throw error
  } finally {
    closeSync(fd)
  }
}
