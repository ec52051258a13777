import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Numbers of renameat2(2), which perl has no name for. */
const renameat2 = { x64: 316, arm64: 276 }

const program = `
  my ($number, $left, $right) = @ARGV;
  my $count = 0;
  $SIG{TERM} = sub { print "$count\\n"; exit 0 };
  $| = 1;
  # AT_FDCWD, RENAME_EXCHANGE.
  for (;;) {
    syscall($number + 0, -100, $left, -100, $right, 2) == 0 or die "renameat2 of $left and $right: $!\\n";
    print "begun\\n" if ++$count == 1;
  }
`

const programOfMany = `
  my ($number, @paths) = @ARGV;
  my $count = 0;
  $SIG{TERM} = sub { print "$count\\n"; exit 0 };
  $| = 1;
  for (my $index = 0; ; $index = ($index + 2) % @paths) {
    my ($left, $right) = @paths[$index, $index + 1];
    next unless syscall($number + 0, -100, $left, -100, $right, 2) == 0;
    print "begun\\n" if ++$count == 1;
  }
`

export interface PathSwapper extends AsyncDisposable {
  /** Ends it; gives how often it has exchanged the two. */
  stop(): Promise<number>
}

/**
 * Exchanges two paths at full speed, as a user on the host would who wants to be quicker than root. Resolves when it has
 * begun.
 */
export async function startSwapping(left: string, right: string, user: User): Promise<PathSwapper> {
  return startSwappingProgram(program, [left, right], user)
}

/** The same with many pairs in turn, of which any may be missing for a while. */
export async function startSwappingAll(
  pairs: readonly (readonly [left: string, right: string])[],
  user: User,
): Promise<PathSwapper> {
  return startSwappingProgram(programOfMany, pairs.flat(), user)
}

interface User {
  readonly uid: number
  readonly gid: number
}

async function startSwappingProgram(text: string, paths: readonly string[], user: User): Promise<PathSwapper> {
  const number = process.arch === 'arm64' ? renameat2.arm64 : renameat2.x64
  const child = spawn('perl', ['-e', text, String(number), ...paths], {
    ...user,
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
