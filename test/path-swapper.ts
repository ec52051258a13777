import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Numbers of renameat2(2), which perl has no name for. */
const renameat2 = { x64: 316, arm64: 276 }

const program = `
  my ($number, $left, $right, $target) = @ARGV;
  my $count = 0;
  $SIG{TERM} = sub { print "$count\\n"; exit 0 };
  $| = 1;
  # AT_FDCWD, RENAME_EXCHANGE.
  for (;;) {
    if (syscall($number + 0, -100, $left, -100, $right, 2) != 0) {
      die "renameat2 of $left and $right: $!\\n" if $target eq '';
      # What somebody took away comes back, each time as a symlink.
      for ($left, $right) { symlink $target, $_ unless -l $_ || -e $_ }
      next;
    }
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
export async function startSwapping(
  left: string,
  right: string,
  user: { readonly uid: number; readonly gid: number },
  /** `revive`: where one of the two is taken away, a symlink that leads there is put in its place. Absent: that is an error. */
  { revive = '' }: { readonly revive?: string } = {},
): Promise<PathSwapper> {
  const number = process.arch === 'arm64' ? renameat2.arm64 : renameat2.x64
  const child = spawn('perl', ['-e', program, String(number), left, right, revive], {
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
