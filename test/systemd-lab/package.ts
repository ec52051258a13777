import { spawn } from 'node:child_process'
import { chmodSync, cpSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

const project = join(import.meta.dirname, '../..')

export interface PlacedPackage {
  /** Result of the program. */
  readonly script: string
  /** Runs `reeve` to its end, as root or as this user, in the package's directory. */
  reeve(args: readonly string[], user?: Readonly<User>): Promise<Spoken>
  remove(): void
}

export interface User {
  readonly uid: number
  readonly home: string
}

export interface Spoken {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The built package in a directory of its own, as npm would install it: owned and writable by root only. */
export function placePackage(directory: string): PlacedPackage {
  for (const name of ['dist', 'schemas', 'package.json']) {
    cpSync(join(project, name), join(directory, name), { recursive: true })
  }
  symlinkSync(join(project, 'node_modules'), join(directory, 'node_modules'))
  closeToOthers(directory)
  const script = join(directory, 'dist/reeve.cjs')
  return {
    script,
    reeve(args, user) {
      const environment = { PATH: process.env.PATH ?? '', HOME: user?.home ?? '/root' }
      const child = spawn(process.execPath, [script, ...args], {
        cwd: directory,
        env: environment,
        stdio: ['ignore', 'pipe', 'pipe'],
        ...(user && { uid: user.uid, gid: user.uid }),
      })
      let stdout = ''
      let stderr = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text
      })
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr += text
      })
      return new Promise((resolve, reject) => {
        child.once('error', reject)
        child.once('close', exitCode => resolve({ exitCode, stdout, stderr }))
      })
    },
    remove: () => rmSync(directory, { recursive: true }),
  }
}

/** Independent of the umask of the build. */
function closeToOthers(directory: string): void {
  chmodSync(directory, 0o755)
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o755)
    else if (entry.isFile()) chmodSync(join(entry.parentPath, entry.name), 0o644)
  }
}
