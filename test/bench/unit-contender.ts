/** Program that starts services of systemd. All contenders write the same unit, and start and enable it. */
export interface UnitContender {
  readonly name: string
  /** Name of its command in the table. */
  readonly commands: string
  /** Reason why it can't be measured here; undefined if it can. Installs what is missing. */
  prepare(): string | undefined
  /** For services of these names, none of which exists yet. */
  open(names: readonly string[]): UnitField
}

/** Each returns the milliseconds until its command had returned. */
export interface UnitField {
  bringUp(): Promise<number>
  /** The same again, without a change. */
  again(): Promise<number>
  /** Only checks, if it can. */
  plan?(): Promise<number>
  /** Changes the command of the service of that name, and nothing else. */
  change(name: string): Promise<number>
  takeDown(): Promise<number>
}

/** Seconds that a service sleeps. A change makes another command. */
export const usual = 86_400
export const changed = 86_401

/** The unit as a person would write it; Reeve's rendering has no less in it. */
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
