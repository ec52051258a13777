/** Program that starts processes, in a directory of its own with none of them running yet. */
export interface Contender {
  readonly name: string
  /** Name of its command in the table. */
  readonly commands: string
  /** Reason why it can't be measured here; undefined if it can. Installs what is missing, once. */
  prepare(): Promise<string | undefined>
  /** Field for one round: so many `sleep SECONDS`. */
  open(count: number, seconds: string): Promise<Field>
}

export interface Field {
  /** From nothing, including the start of its daemon; in ms until its command has returned. */
  bringUp(): Promise<number>
  /** The same again, without a change. */
  again(): Promise<number>
  /** Its own processes, without those it runs. */
  own(): number[]
  takeDown(): Promise<void>
}
