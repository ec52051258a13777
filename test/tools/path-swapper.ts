import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Numbers of renameat2(2), which perl has no name for. */
const renameat2 = { x64: 316, arm64: 276 }

const program = `
  use POSIX ();
  my ($number, $pairs, @paths) = @ARGV;
  my @swaps = splice @paths, 0, 2 * $pairs;
  my $count = 0;
  $SIG{TERM} = sub { print "$count\\n"; exit 0 };
  $| = 1;
  for (;;) {
    for (my $i = 0; $i < @swaps; $i += 2) {
      # AT_FDCWD, RENAME_EXCHANGE. What is missing, or another's, for a moment comes again.
      my $done = syscall($number + 0, -100, $swaps[$i], -100, $swaps[$i + 1], 2) == 0;
      $done or $! == POSIX::ENOENT or $! == POSIX::EACCES or die "renameat2 of $swaps[$i] and $swaps[$i + 1]: $!\\n";
      print "begun\\n" if $done && ++$count == 1;
    }
    for (my $i = 0; $i < @paths; $i += 2) {
      symlink($paths[$i + 1], $paths[$i]) or $! == POSIX::EEXIST or die "symlink $paths[$i]: $!\\n";
    }
  }
`

export interface PathSwapper extends AsyncDisposable {
  /** Ends it; returns the number of exchanges. */
  stop(): Promise<number>
}

/**
 * Exchanges two paths at full speed, as a user on the host would who wants to be quicker than root. Resolves when it has
 * begun.
 */
export function startSwapping(
  left: string,
  right: string,
  user: { readonly uid: number; readonly gid: number },
): Promise<PathSwapper> {
  return startMeddling({ swaps: [[left, right]] }, user)
}

export interface Meddling {
  /** Paths that are exchanged. */
  readonly swaps: readonly (readonly [left: string, right: string])[]
  /** Symlinks that are created whenever their path is free. */
  readonly links?: readonly (readonly [link: string, target: string])[]
}

/** Like `startSwapping`, with many in turn. */
export async function startMeddling(
  { swaps, links = [] }: Meddling,
  user: { readonly uid: number; readonly gid: number },
): Promise<PathSwapper> {
  const number = process.arch === 'arm64' ? renameat2.arm64 : renameat2.x64
  const child = spawn('perl', ['-e', program, String(number), String(swaps.length), ...swaps.flat(), ...links.flat()], {
    uid: user.uid,
    gid: user.gid,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let complaint = ''
  const ended = once(child, 'close')
  child.stderr.on('data', chunk => {
    complaint += String(chunk)
  })
  const begun = new Promise<void>((resolve, reject) => {
    child.stdout.on('data', chunk => {
      output += String(chunk)
      resolve()
    })
    void ended.then(() => reject(new Error(`the swapper ended at once: ${complaint}`)))
  })
  await begun
  const stop = async (): Promise<number> => {
    child.kill('SIGTERM')
    await ended
    if (complaint !== '') throw new Error(complaint)
    return Number(output.trim().split('\n').at(-1))
  }
  return {
    stop,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await stop()
    },
  }
}
