import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'

/** Of the Debian that machines are booted from: the smallest one, with systemd and what its user managers need. */
const packages = ['systemd', 'systemd-sysv', 'dbus', 'dbus-user-session', 'libpam-systemd', 'procps']

/** Where apt says that this host's own packages come from; else what debootstrap takes by itself. */
interface Source {
  readonly codename: string
  readonly mirror: string | undefined
}

const cache = '/var/cache/reeve-test'

/** The directory of the image, whether or not it is there. */
export function imagePath(): string {
  const { codename } = findSource()
  const digest = createHash('sha256').update(packages.join()).digest('hex').slice(0, 8)
  return join(cache, `systemd-${codename}-${digest}`)
}

/** Makes the image if it isn't there yet: once for each machine, in about a minute, with debootstrap. */
export function makeImage(): void {
  const path = imagePath()
  if (existsSync(path)) return
  console.warn(`making a small Debian in ${path} to boot a systemd from: once, about a minute`)
  mkdirSync(cache, { recursive: true })
  const temporary = mkdtempSync(join(cache, `.${basename(path)}-`))
  const { codename, mirror } = findSource()
  const args = ['--variant=minbase', `--include=${packages.join()}`, codename, temporary, ...(mirror ? [mirror] : [])]
  try {
    const { status, stdout } = spawnSync('debootstrap', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    if (status !== 0) throw new Error(`debootstrap ${args.join(' ')} failed:\n${stdout?.slice(-2_000)}`)
    chmodSync(temporary, 0o755) // it becomes the root directory, for all users
    if (!existsSync(path)) renameSync(temporary, path)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

function findSource(): Source {
  const format = '$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)'
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'], {
    encoding: 'utf8',
  })
  const codename = /^VERSION_CODENAME=(.+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
  for (const line of (stdout ?? '').split('\n')) {
    const [, found, component, mirror] = line.split(' ')
    if (found === codename && found !== undefined && component === 'main') return { codename: found, mirror }
  }
  return { codename: 'bookworm', mirror: undefined }
}
