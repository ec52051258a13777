import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What a machine runs as pid 1, and its services by. */
export type MachineKind = 'systemd' | 'openrc'

/**
 * What the smallest Debian lacks: systemd, the needs of its user managers, and Git; or the init that OpenRC runs under. `more` is
 * installed after that: debootstrap can't choose between OpenRC and what the init else comes with.
 */
const contents: Readonly<Record<MachineKind, Contents>> = {
  systemd: {
    packages: [
      ...['systemd', 'systemd-sysv', 'dbus', 'dbus-user-session', 'libpam-systemd', 'procps'],
      ...['git', 'openssh-client'],
    ],
    options: [],
    more: [],
  },
  openrc: {
    packages: ['sysvinit-core', 'procps', 'insserv'],
    options: ['--exclude=systemd,systemd-sysv'],
    more: ['openrc', 'librc1', 'libeinfo1'],
  },
}

interface Contents {
  readonly packages: readonly string[]
  /** Further options of debootstrap. */
  readonly options: readonly string[]
  readonly more: readonly string[]
}

/** Mirror of this host's own apt; else the default of debootstrap. */
interface Source {
  readonly codename: string
  readonly mirror: string | undefined
}

const cache = '/var/cache/reeve-test'

/** `sh -c SCRIPT NAME IMAGE PACKAGES DEBOOTSTRAP-ARGUMENT...`; the result becomes the root directory, for all users. */
const script = `
image=$1 more=$2; shift 2
[ ! -e "$image" ] || exit 0
rm -rf "$image.new"
debootstrap "$@"
if [ -n "$more" ]; then
  mkdir "$image.new/packages"
  (cd "$image.new/packages" && apt-get -o APT::Sandbox::User=root download $more)
  # Links of what it replaces, which dpkg takes for edited configuration.
  rm -f "$image.new/etc/init.d/rc" "$image.new/etc/init.d/rcS"
  chroot "$image.new" sh -c 'dpkg --install --force-confmiss /packages/*.deb'
  rm -r "$image.new/packages"
  # Nobody logs in.
  sed -i /respawn/d "$image.new/etc/inittab"
fi
chmod 755 "$image.new"
mv "$image.new" "$image"
`

const images = new Map<MachineKind, Promise<string>>()

/**
 * Directory of the image. It is created if missing: once for each machine, in about a minute, with debootstrap. Of
 * simultaneous requests, in whatever process, one creates it and the others wait.
 */
export function makeImage(kind: MachineKind): Promise<string> {
  const image = images.get(kind) ?? findOrMakeImage(kind)
  images.set(kind, image)
  return image
}

async function findOrMakeImage(kind: MachineKind): Promise<string> {
  const { packages, options, more } = contents[kind]
  const { codename, mirror } = findSource()
  const digest = createHash('sha256')
    .update([...packages, ...more].join())
    .digest('hex')
    .slice(0, 8)
  const path = join(cache, `${kind}-${codename}-${digest}`)
  if (existsSync(path)) return path
  console.warn(`making a small Debian in ${path} to boot ${kind} from: once, about a minute`)
  mkdirSync(cache, { recursive: true })
  const args = [
    '--variant=minbase',
    `--include=${packages.join()}`,
    ...options,
    codename,
    `${path}.new`,
    ...(mirror ? [mirror] : []),
  ]
  await run('flock', [`${path}.lock`, '/bin/sh', '-euc', script, 'image', path, more.join(' '), ...args], {
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
