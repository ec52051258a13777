import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What the smallest Debian lacks: systemd, the needs of its user managers, and Git. */
const packages = [
  ...['systemd', 'systemd-sysv', 'dbus', 'dbus-user-session', 'libpam-systemd', 'procps'],
  ...['git', 'openssh-client'],
]

/** Mirror of this host's own apt; else the default of debootstrap. */
interface Source {
  readonly codename: string
  readonly mirror: string | undefined
}

const cache = '/var/cache/reeve-test'

/** `sh -c SCRIPT NAME IMAGE DEBOOTSTRAP-ARGUMENT...`; the result becomes the root directory, for all users. */
const script = `
image=$1; shift
[ ! -e "$image" ] || exit 0
rm -rf "$image.new"
debootstrap "$@"
chmod 755 "$image.new"
mv "$image.new" "$image"
`

let image: Promise<string> | undefined

/**
 * Directory of the image. It is created if missing: once for each machine, in about a minute, with debootstrap. Of
 * simultaneous requests, in whatever process, one creates it and the others wait.
 */
export function makeImage(): Promise<string> {
  image ??= findOrMakeImage()
  return image
}

async function findOrMakeImage(): Promise<string> {
  const { codename, mirror } = findSource()
  const digest = createHash('sha256').update(packages.join()).digest('hex').slice(0, 8)
  const path = join(cache, `systemd-${codename}-${digest}`)
  if (existsSync(path)) return path
  console.warn(`making a small Debian in ${path} to boot a systemd from: once, about a minute`)
  mkdirSync(cache, { recursive: true })
  const options = ['--variant=minbase', `--include=${packages.join()}`]
  const args = [...options, codename, `${path}.new`, ...(mirror ? [mirror] : [])]
  await run('flock', [`${path}.lock`, '/bin/sh', '-euc', script, 'image', path, ...args], {
    maxBuffer: 64 * 1024 * 1024,
  }).catch(error => {
    throw new Error(`debootstrap ${args.join(' ')} failed:\n${String(error.stdout).slice(-2_000)}`, { cause: error })
  })
  return path
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
