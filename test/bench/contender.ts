/** Who brings up processes, in a directory of its own and with nothing of it running yet. */
export interface Contender {
  readonly name: string
  /** What it calls doing it, for the table. */
  readonly commands: string
  /** Undefined: it can be measured here. Else why not. Installs what is missing, once. */
  prepare(): Promise<string | undefined>
  /** A field for one round: so many `sleep SECONDS`. */
  open(count: number, seconds: string): Promise<Field>
}

export interface Field {
  /** From nothing, with the start of its daemon; in milliseconds until its command has returned. */
  bringUp(): Promise<number>
  /** The same again, with nothing changed. */
  again(): Promise<number>
  /** Its own processes, without those it runs. */
  own(): number[]
  takeDown(): Promise<void>
}
