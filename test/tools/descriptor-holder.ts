import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** pidfd_open(2) is 434 and pidfd_getfd(2) 438, on every architecture. */
const program = `
  $| = 1;
  undef $/;
  print "begun\\n";
  for (;;) {
    for my $directory (glob '/proc/[0-9]*') {
      my ($pid) = $directory =~ /([0-9]+)$/;
      next if $pid == $$ or (stat $directory)[4] != $<;
      open my $file, '<', "$directory/cmdline" or next;
      my $line = <$file> // '';
      next unless $line =~ /\\0-c\\0.*reeve-/s;
      my $process = syscall(434, $pid, 0);
      next if $process < 0;
      # Kept as long as this lives.
      my $held = syscall(438, $process, 2, 0);
      next if $held < 0;
      open my $facts, '<', "$directory/stat" or next;
      my ($session) = <$facts> =~ /.*\\) \\S \\d+ \\d+ (\\d+)/ or next;
      print "held $session\\n";
    }
  }
`

export interface Holder extends AsyncDisposable {
  /** Sessions of the processes whose stderr it has obtained. */
  held(): readonly number[]
}

/**
 * Takes, as a user on the host would, the stderr of every process that writes files as that user, and keeps it open. The
 * kernel lets users do so with processes of their own.
 */
export async function startHolder(user: { readonly uid: number; readonly gid: number }): Promise<Holder> {
  const child = spawn('perl', ['-e', program], {
    uid: user.uid,
    gid: user.gid,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  const ended = once(child, 'close')
  child.stdout.on('data', chunk => {
    output += String(chunk)
  })
  await once(child.stdout, 'data')
  return {
    held: () => [...output.matchAll(/^held (\d+)$/gm)].map(([, session]) => Number(session)),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
