import { lookUp } from '../../../src/core/dictionary.ts'
import type { Exit } from '../../../src/core/state/observed.ts'
import { describeExit } from '../../../src/core/state/readiness.ts'

/**
 * Messages for numbers and names of systemd. The names are from systemd.exec(5), "Process Exit Codes";
 * test/systemd/exit-words.test.ts checks them against the real systemd.
 */

/** Exit codes of a process created by systemd that could not become the program. */
const preparation: Readonly<Record<number, readonly [name: string, meaning: string]>> = {
  200: ['CHDIR', 'its working directory could not be entered'],
  201: ['NICE', 'its scheduling priority (Nice=) could not be set'],
  202: ['FDS', 'file descriptors could not be closed or handed over'],
  203: ['EXEC', 'the program could not be executed'],
  204: ['MEMORY', 'there was not enough memory to prepare it'],
  205: ['LIMITS', 'its resource limits could not be set'],
  206: ['OOM_ADJUST', 'its OOMScoreAdjust= could not be set'],
  207: ['SIGNAL_MASK', 'its signal mask could not be set'],
  208: ['STDIN', 'its standard input could not be opened'],
  209: [
    'STDOUT',
    'its standard output could not be opened: see whether its file can be written, and its disk is full or read-only',
  ],
  210: ['CHROOT', 'its root directory could not be changed'],
  211: ['IOPRIO', 'its I/O priority could not be set'],
  212: ['TIMERSLACK', 'its timer slack could not be set'],
  213: ['SECUREBITS', 'its secure bits could not be set'],
  214: ['SETSCHEDULER', 'its CPU scheduling could not be set'],
  215: ['CPUAFFINITY', 'its CPU affinity could not be set'],
  216: ['GROUP', 'there is no such group, or it could not be taken on'],
  217: ['USER', 'there is no such user, or it could not be taken on'],
  218: ['CAPABILITIES', 'its capabilities could not be given up'],
  219: ['CGROUP', 'it could not be put into its control group'],
  220: ['SETSID', 'it could not get a session of its own'],
  221: ['CONFIRM', 'whoever was asked on the console refused its start'],
  222: [
    'STDERR',
    'its standard error could not be opened: see whether its file can be written, and its disk is full or read-only',
  ],
  224: ['PAM', 'its PAM session could not be opened'],
  225: ['NETWORK', 'its network namespace could not be set up'],
  226: ['NAMESPACE', 'its sandbox of mounts could not be set up: mostly a path of it is missing'],
  227: ['NO_NEW_PRIVILEGES', 'it could not be kept from getting more privileges'],
  228: ['SECCOMP', 'its filter of system calls could not be set'],
  229: ['SELINUX_CONTEXT', 'its SELinux context could not be set'],
  230: ['PERSONALITY', 'its execution domain (Personality=) could not be set'],
  231: ['APPARMOR', 'its AppArmor profile could not be set'],
  232: ['ADDRESS_FAMILIES', 'its address families could not be restricted'],
  233: ['RUNTIME_DIRECTORY', 'its directory below /run could not be made or set up'],
  235: ['CHOWN', 'its socket could not be given to its user'],
  236: ['SMACK_PROCESS_LABEL', 'its SMACK label could not be set'],
  237: ['KEYRING', 'its kernel keyring could not be set up'],
  238: ['STATE_DIRECTORY', 'its state directory could not be made or set up'],
  239: ['CACHE_DIRECTORY', 'its cache directory could not be made or set up'],
  240: ['LOGS_DIRECTORY', 'its log directory could not be made or set up'],
  241: ['CONFIGURATION_DIRECTORY', 'its configuration directory could not be made or set up'],
  242: ['NUMA_POLICY', 'its NUMA memory policy could not be set'],
  243: ['CREDENTIALS', 'its credentials (secrets) could not be read or handed over'],
  244: ['BPF', 'its BPF restrictions could not be set'],
}

/** How a process ended by itself, with the meaning of systemd's exit codes. A program's own exit codes have none. */
export function exitedWith(code: number): Exit {
  const [name, meaning] = preparation[code] ?? []
  return name === undefined ? { code } : { code, meaning: `${name}: ${meaning}` }
}

const results: Readonly<Record<string, string>> = {
  resources: 'systemd lacked something that it needs for it: a file that its unit names, a directory, memory',
  protocol: 'it did not do what its Type= promises: it ended before it was ready, or told of no main process',
  timeout: 'it took longer than its unit allows',
  watchdog: 'it gave no sign of life for as long as WatchdogSec= allows',
  'start-limit-hit': 'it was started too often in a short time, and systemd starts it no more (StartLimitBurst=)',
  'oom-kill': 'memory ran out, and it was killed for that (OOMPolicy=)',
  'exec-condition': 'its ExecCondition= says that it is not to run',
  'trigger-limit-hit': 'it was set off too often in a short time, and systemd has stopped it (TriggerLimitBurst=)',
  'service-start-limit-hit': 'its service was started too often in a short time, and systemd has stopped it',
  'unit-start-limit-hit': 'its unit was started too often in a short time, and systemd has stopped it',
  'mount-start-limit-hit': 'its mount was started too often in a short time, and systemd has stopped it',
}

/** Results that the end of the process explains completely. */
const ownEnds: ReadonlySet<string> = new Set(['exit-code', 'signal', 'core-dump'])

/** Last end of the main process in systemd's journal. */
export function parseMainExit(text: string): Exit | undefined {
  const found = [...text.matchAll(/: Main process exited, code=(\w+), status=(\d+)\/(\S+)\s*$/gm)]
  const [, how, number, name] = found.at(-1) ?? []
  if (how === undefined || number === undefined) return undefined
  return how === 'exited' ? exitedWith(Number(number)) : { signal: name ?? number }
}

/** The process whose end counts. */
export interface End {
  readonly exit: Exit
  /** Absent: the main one. */
  readonly command?: string
}

/** systemd's `Result` of a unit that has failed. */
export function describeResult(result: string, end?: End): string {
  const how = end && `${end.command ?? 'it'} ${describeExit(end.exit)}`
  const dumped = result === 'core-dump' ? ', and has left a core dump' : ''
  if (ownEnds.has(result)) return `${how ?? 'one of its commands has failed'}${dumped}`
  const why = lookUp(results, result) ?? `systemd gives the reason ${result}`
  return how === undefined ? why : `${why}; ${how}`
}

const jobResults: Readonly<Record<string, string>> = {
  failed: 'has failed',
  canceled: 'was given up, as systemd was asked for something else meanwhile',
  timeout: 'took longer than it may',
  dependency: 'was not started, as another unit that it requires could not be',
  invalid: 'cannot do that in the state it is in',
  assert: 'was not started, as one of its Assert…= does not hold',
  unsupported: 'is of a kind that systemd does not support on this host',
  collected: 'was unloaded by systemd meanwhile',
  once: 'has run once in this boot, and may not again',
}

/** How a job of systemd ended without success: `web.service has failed`. */
export function describeJobResult(unit: string, result: string): string {
  return `${unit} ${lookUp(jobResults, result) ?? `was not done: systemd says ${result}`}`
}

const loads: Readonly<Record<string, string>> = {
  'not-found': 'its unit file is gone',
  masked: 'its unit is masked: systemctl unmask it',
  'bad-setting': 'its unit file has a setting that systemd does not take: systemd-analyze verify names it',
  error: 'its unit file could not be loaded: systemctl status tells why',
  merged: 'its unit is another name of one that systemd has loaded already',
  stub: 'systemd has not loaded its unit yet',
}

/** systemd's `LoadState`; undefined if it is as it should be. */
export function describeLoad(load: string): string | undefined {
  return load === 'loaded' ? undefined : (lookUp(loads, load) ?? `systemd has not loaded its unit: ${load}`)
}
