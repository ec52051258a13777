import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Process } from '../../../src/core/model/facility.ts'
import { createHostilePlace, type Owner, root } from '../hostile-place.ts'
import { createInstance } from '../process-instance.ts'

const isRoot = process.geteuid?.() === 0

/** How often each service is started, reloaded, restarted and removed. */
const rounds = 4

/** Part of each value that nobody else may see. */
const mark = 'value-of-a-variable'

/** Reads what the kernel shows of all processes, at full speed, until it is ended; reports what contained the mark. */
const watcher = `
  my ($mark) = @ARGV;
  my $on = 1;
  my $sweeps = 0;
  $SIG{TERM} = sub { $on = 0 };
  $| = 1;
  my %seen;
  while ($on) {
    opendir(my $proc, '/proc');
    for my $pid (grep { /^\\d+$/ && $_ != $$ } readdir $proc) {
      for my $what ('cmdline', 'environ') {
        open(my $file, '<', "/proc/$pid/$what") or next;
        local $/;
        my $text = <$file>;
        $seen{"$what: $text"} = 1 if defined $text && index($text, $mark) >= 0;
      }
    }
    print "begun\\n" if ++$sweeps == 1;
  }
  print "$sweeps sweeps\\n", map { tr/\\0\\n/  /r . "\\n" } keys %seen;
`

async function startWatching(as: Owner): Promise<{ stop(): Promise<{ sweeps: number; seen: readonly string[] }> }> {
  // The mark is given in two parts, so that it doesn't match the watcher's own command line.
  const program = watcher.replace('my ($mark) = @ARGV;', 'my $mark = join "", @ARGV;')
  const half = mark.length / 2
  const child = spawn('perl', ['-e', program, mark.slice(0, half), mark.slice(half)], {
    ...as,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', chunk => {
    output += String(chunk)
  })
  const ended = once(child, 'close')
  await Promise.race([once(child.stdout, 'data'), ended])
  return {
    async stop() {
      child.kill('SIGTERM')
      await ended
      const [, sweeps = '', ...seen] = output.trim().split('\n')
      return { sweeps: Number.parseInt(sweeps, 10), seen }
    },
  }
}

test.runIf(isRoot)(
  'S9: a user who watches all processes at full speed never sees the value of a variable',
  { timeout: 120_000 },
  async () => {
    await using made = createInstance()
    const place = createHostilePlace(made.scratch, made.host)
    const closed = place.file(join(place.closed, 'env'), `FILE=${mark}\nLD_FILE=${mark}\nIFS=${mark}\n`, root)
    const home = place.directory('home')
    const own = place.file(join(home, 'env'), `OWN=${mark}\nLD_OWN=${mark}\n`)
    const token = place.file(join(home, 'token'), mark)
    const environment: Process['environment'] = {
      LITERAL: mark,
      LD_LITERAL: mark,
      BASH_ENV: `/${mark}`,
      SECRET: { fromFile: closed },
      LD_SECRET: { fromFile: closed },
    }
    const command = ['sleep', '1000']
    const reload = { command: ['/bin/sh', '-c', 'exit 0'] }
    const services: Readonly<Record<string, Partial<Process>>> = {
      root: { environment, environmentFiles: [closed] },
      user: { environment, environmentFiles: [closed], user: place.name, limits: { nofile: 1_000 } },
      reader: {
        environment: { ...environment, TOKEN: { fromFile: token }, LD_TOKEN: { fromFile: token } },
        environmentFiles: [closed, own],
        user: place.name,
        workingDirectory: home,
        output: { file: join(home, 'a.log'), maxSize: 10_000, keep: 1 },
      },
    }
    // Another user than the services', who may see their values.
    const watching = await startWatching({ uid: 4_711, gid: 4_712 })
    for (let round = 0; round < rounds; round += 1) {
      await Promise.all(
        Object.entries(services).map(async ([name, declared]) => {
          await made.install(name, { command, reload, ...declared })
          await made.act('start', name)
          await made.act('reload', name)
          await made.act('restart', name)
          const { pid = 0 } = await made.see(name, 'running')
          expect(made.host.readText(`/proc/${pid}/environ`)).toContain(`LD_SECRET=FILE=${mark}`)
          await made.act('remove', name)
        }),
      )
    }
    const { sweeps, seen } = await watching.stop()
    expect(sweeps).toBeGreaterThan(20)
    expect(seen).toEqual([])
  },
)
