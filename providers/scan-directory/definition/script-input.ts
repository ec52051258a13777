import type { Process } from '../../../src/core/model/facility.ts'
import type { FamilyScripts } from '../family.ts'

/**
 * Input of a definition's scripts. The scripts write these records to `reeve/` of the definition; `records.ts` reads them:
 *
 *   claim      PID START CLOCK BOOT of the process that becomes the service, written first: it identifies an orphan. With `-`
 *              for PID and START: the last run, which the next one has to wait for
 *   loaded     sha256sum output for the definition's files and the facility's, or that one of these is absent, before any of
 *              them is read
 *   launched   PID START, written last: then the service itself is executed
 *   ended      CODE SIGNAL asked|alone FAILURES BOOT TOTAL of the last end; TOTAL counts failures and the ends of good runs
 *   problem    reason why the script did not reach the service, or that the service daemonized
 *   log-problem  reason why its output can't be written, by the script of the logger; see log-script.ts
 *
 * They are private: the digest of a short secret reveals the secret (S9).
 *
 * START is field 22 of the process's stat, CLOCK hundredths of a second since boot, BOOT its id and the START of pid 1.
 * Signals are given by number and without `--`, which the kill of busybox takes for a process.
 */
export interface ScriptInput {
  readonly facility: string
  /** Name of the program that runs the scripts. */
  readonly supervisor: string
  readonly process: Process
  readonly scripts: FamilyScripts
  /** Whether native text is run in place of the command; see definition.ts. */
  readonly isNative: boolean
  /** Whether there is a `spec.process`, which describes how it is run. */
  readonly isPrepared: boolean
  /** Files of the definition that a process depends on, by their paths in it. */
  readonly parts: readonly string[]
  /** The definition's own `reeve` directory. */
  readonly records: string
  /** Descriptor for readiness of the service, which the scripts leave alone. */
  readonly notificationFd?: number
}

export const header = (facility: string): string =>
  `#!/bin/sh\n# Made by Reeve for facility ${facility}: what is changed here is changed back.\n`

/** Interval in seconds at which the scripts check whether a process has ended that isn't their child. */
export const nap = '0.05'
