/** Whose rights are used. */
export interface UserIdentity {
  readonly name: string
  readonly uid: number
  readonly gid: number
}
