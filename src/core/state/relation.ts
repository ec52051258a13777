/**
 * What one service has to do with another, so that to act on the one is to act on the other:
 *
 *   conflicts    they can't both run: to start the one stops the other
 *   starts       while it runs it starts the other, now or when something happens
 *   stops-with   it is stopped whenever the other is
 *   enables      to enable or disable it does so to the other too
 *
 * Providers tell them, and `findContradictions` says which of them can't be had together.
 */
export type RelationKind = 'conflicts' | 'starts' | 'stops-with' | 'enables'

export interface Relation {
  readonly kind: RelationKind
  /** One of the other service's `identities`. */
  readonly to: string
  /** Where it comes from, in the supervisor's words: `Conflicts=db.service of web.service`. */
  readonly how: string
}

/** Service with its relations, as they will be once its declared definition is in place. */
export interface ServiceTies {
  /**
   * What it is, whatever it is called and whichever supervisor it is asked for from. Two services that share one of these are one:
   * the other name of a unit, a directory that two links lead to.
   */
  readonly identities: readonly string[]
  /**
   * What it is another name of only till that has been brought up to date: an alias that its definition asks for no more. What is
   * observed of it is still the other's.
   */
  readonly leaving?: string
  /** Why the name means another service, for people. Absent: it means itself. */
  readonly alias?: string
  readonly relations: readonly Relation[]
}
