/** Who brings up services of systemd. All of them write the same unit, and have it started and enabled. */
export interface UnitContender {
  readonly name: string
  /** What it calls doing it, for the table. */
  readonly commands: string
  /** Undefined: it can be measured here. Else why not. Installs what is missing. */
  prepare(): string | undefined
  /** For services of these names, of which nothing is there yet. */
  open(names: readonly string[]): UnitField
}

/** Each gives the milliseconds until its command had returned. */
export interface UnitField {
  bringUp(): Promise<number>
  /** The same again, with nothing changed. */
  again(): Promise<number>
  /** Only looks, if it can. */
  plan?(): Promise<number>
  /** Changes what the service of that name runs, and nothing else. */
  change(name: string): Promise<number>
  takeDown(): Promise<number>
}

/** Seconds that a service sleeps. Changed, it is another command. */
export const usual = 86_400
export const changed = 86_401

/** The unit as a person would write it; what Reeve renders for the same says no less. */
export function unitText(name: string, seconds: number): string {
  return `[Unit]
Description=${name}
StartLimitIntervalSec=0
[Service]
Type=exec
ExecStart=/bin/sleep ${seconds}
Restart=always
RestartSec=1s
[Install]
WantedBy=multi-user.target
`
}
