import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { createSystemdLab, type SystemdLab, systemctl } from '../systemd-lab/engine.ts'
import { startSwapping } from '../tools/path-swapper.ts'

const app = { uid: 2001, gid: 2001 }
const root = { uid: 0, gid: 0 }
const secret = 'for-root-alone'
const vault = '/srv/vault'

/** Duration of each path swap, in ms: together ten seconds. */
const duration = 1_250

/** Directories in which the service's user can swap what a service uses. */
const places = [
  { what: 'its own directory', directory: '/srv/app', owner: app, mode: 0o755 },
  {
    what: 'a directory of root that its group can write',
    directory: '/srv/shared',
    owner: { uid: 0, gid: app.gid },
    mode: 0o775,
  },
] as const

describe.skipIf(process.env.REEVE_MACHINE === undefined)(
  'S8: a service’s user who swaps paths at full speed gains nothing',
  {
    timeout: 120_000,
  },
  () => {
    beforeAll(() => {
      spawnSync('useradd', ['--uid', String(app.uid), '--home-dir', '/srv/app', 'app'])
      mkdirSync(vault)
      for (const name of ['web.log', 'input']) writeFileSync(join(vault, name), `TOKEN=${secret}\n`, { mode: 0o600 })
      chmodSync(vault, 0o700)
      for (const { directory, owner, mode } of places) {
        mkdirSync(directory)
        own(directory, owner, mode)
      }
    })

    for (const { what, directory } of places) {
      const at = (name: string): string => join(directory, name)
      /** Each uses `path`, which is exchanged for a link into the vault. */
      const cases = [
        { what: 'the output file', path: at('web.log'), process: { output: { file: at('web.log') } } },
        {
          what: 'the directory of the output file',
          path: at('logs'),
          process: { output: { file: at('logs/web.log') } },
        },
        { what: 'a secret', path: at('input'), process: { environment: { TOKEN: { fromFile: at('input') } } } },
        { what: 'the environment file', path: at('input'), process: { environmentFiles: [at('input')] } },
        { what: 'the working directory', path: at('work'), process: { workingDirectory: at('work') } },
      ] as const
      for (const { what: swapped, path, process } of cases) {
        test(`in ${what}: ${swapped}`, async () => {
          await using lab = await createSystemdLab()
          const isFile = /log$|input$/.test(path)
          const trap = join(dirname(path), `trap-${basename(path)}`)
          makeBait(path, isFile)
          symlinkSync(isFile ? join(vault, basename(path)) : vault, trap)
          lchownSync(trap, app.uid, app.gid)
          const swapper = await startSwapping(path, trap, app)
          const before = lookIntoVault()
          try {
            await liveUnder(lab, process)
            expect(await swapper.stop()).toBeGreaterThan(1_000)
            expect(lookIntoVault()).toEqual(before)
            expect(places.flatMap(place => readAll(place.directory)).join('\n')).not.toContain(secret)
          } finally {
            await swapper[Symbol.asyncDispose]()
            for (const name of [path, trap]) rmSync(name, { recursive: true, force: true })
          }
        })
      }
    }

    test('S9: no value of a variable is ever on a command line, whoever looks', async () => {
      await using lab = await createSystemdLab()
      const values = [
        'v4lue-of-manifest',
        'v4lue-of-file',
        'v4lue-of-secret',
        'v4lue-of-own-file',
        'v4lue-of-own-secret',
      ]
      const [literal, file, token, ownFile, ownToken] = values
      writeFileSync('/srv/file', `FILE=${file}\nLD_FILE=${file}\n`, { mode: 0o600 })
      writeFileSync('/srv/token', `${token}\n`, { mode: 0o600 })
      for (const [name, text] of [
        ['file', `OWN=${ownFile}\n`],
        ['token', `${ownToken}\n`],
      ] as const) {
        writeFileSync(`/srv/app/${name}`, text, { mode: 0o600 })
        chownSync(`/srv/app/${name}`, app.uid, app.gid)
      }
      const watcher = spawn('perl', ['-e', watchCommandLines, 'v4lue', '/tmp/looks'], {
        ...app,
        cwd: '/',
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let seen = ''
      watcher.stdout.on('data', chunk => {
        seen += String(chunk)
      })
      writeFileSync('/tmp/looks', '')
      chownSync('/tmp/looks', app.uid, app.gid)
      const environment = {
        PLAIN: literal,
        LD_PLAIN: literal,
        TOKEN: { fromFile: '/srv/token' },
        OWN_TOKEN: { fromFile: '/srv/app/token' },
      }
      for (const environmentFiles of [[], ['/srv/file'], ['/srv/file', '/srv/app/file']]) {
        for (const user of ['app', undefined]) {
          const inputs = user === undefined ? environmentFiles.filter(path => path === '/srv/file') : environmentFiles
          const { OWN_TOKEN, ...rest } = environment
          const variables = user === undefined ? rest : { ...rest, OWN_TOKEN }
          lab.declareUnit('web', {
            process: {
              command: ['/bin/sleep', '1000000'],
              environment: variables,
              environmentFiles: inputs,
              ...(user && { user }),
            },
          })
          expect(await lab.apply()).toMatchObject({ failed: [], notReady: [] })
          for (let count = 0; count < 10; count += 1) systemctl('restart', 'web')
        }
      }
      await eventually('it to have looked often', () => Number(readFileSync('/tmp/looks', 'utf8')) > 500)
      watcher.kill('SIGKILL')
      expect(seen).toBe('')
      for (const name of ['/srv/file', '/srv/token', '/srv/app/file', '/srv/app/token']) rmSync(name)
    })
  },
)

/** Reads the command lines of all processes repeatedly; reports each that contains the mark, and the number of reads. */
const watchCommandLines = `
  my ($mark, $file) = @ARGV;
  $| = 1;
  for (my $count = 1;; $count++) {
    opendir(my $proc, '/proc');
    for my $pid (grep { /^\\d+$/ && $_ != $$ } readdir($proc)) {
      open(my $in, '<', "/proc/$pid/cmdline") or next;
      local $/;
      my $line = <$in>;
      print "$line\\n" if defined $line && index($line, $mark) >= 0 && index($line, 'index($line') < 0;
    }
    if ($count % 50 == 0) { open(my $out, '>', $file); print $out $count; close($out) }
  }
`

/** Service that reports its environment and its directory, and is started, restarted, reloaded and removed meanwhile. */
async function liveUnder(lab: SystemdLab, process: object): Promise<void> {
  const told = '/srv/app/told'
  writeFileSync(told, '')
  own(told, app, 0o644)
  const script = `echo said; env >>${told}; cat ./* >>${told} 2>/dev/null; echo run >>${told}; exec sleep 1000000`
  const spec = {
    command: ['/bin/sh', '-c', script],
    user: 'app',
    workingDirectory: '/srv/app',
    restart: { delay: '10ms' },
  }
  for (let [runs, end] = [0, Date.now() + duration]; Date.now() < end || runs < 2; runs += 1) {
    const reload = { command: ['/bin/true', String(runs)] }
    lab.declareUnit('web', { process: { ...spec, ...process, reload } })
    // It is refused, fails or succeeds, depending on the path at that moment.
    await lab.apply().catch(() => undefined)
    for (const verb of ['reload', 'restart']) systemctl(verb, 'web')
    if (runs % 2 === 0) continue
    rmSync(join(lab.manifests, 'web.yaml'))
    await lab.apply().catch(() => undefined)
  }
  rmSync(join(lab.manifests, 'web.yaml'), { force: true })
  await lab.apply()
}

/** Contents of regular files, as their user would see them. */
function readAll(directory: string): string[] {
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true })
  return entries
    .filter(entry => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'))
}

function makeBait(path: string, isFile: boolean): void {
  if (isFile) writeFileSync(path, basename(path) === 'input' ? 'TOKEN=harmless\n' : '')
  else mkdirSync(path)
  own(path, app, isFile ? 0o644 : 0o755)
}

function own(path: string, { uid, gid }: typeof root, mode: number): void {
  chownSync(path, uid, gid)
  chmodSync(path, mode)
}

/** Names, contents, owners and modes. */
function lookIntoVault(): unknown {
  return ['.', ...readdirSync(vault)].map(name => {
    const path = join(vault, name)
    const { uid, gid, mode } = statSync(path)
    return { name, uid, gid, mode, text: name === '.' ? '' : readFileSync(path, 'utf8') }
  })
}
