import type { Diagnostic } from '../../core/model/diagnostic.ts'
import type { DiagnosticCode } from '../diagnostics/diagnostic-code.ts'
import type { FieldPath, FieldProblem } from '../diagnostics/problem.ts'
import type { Declared, ParsedManifest } from '../parse/manifest-file.ts'

/** A declaration, and the file it stands in. */
export interface Place<T> {
  readonly manifest: ParsedManifest
  readonly declared: Declared<T>
}

export type ReportProblem = (place: Place<unknown>, problem: FieldProblem) => void

/** A field that claims something only one may have. */
export interface Claim extends Place<unknown> {
  readonly path: FieldPath
}

export interface Claims<T extends Claim> {
  /** Returns true for the first claim of a key. A second one is reported at both places; `what` names the thing claimed. */
  add(key: string, claim: T, what: (first: T) => string): boolean
  /** Reports a conflict between this claim and the first claim of another key, at both places. */
  oppose(key: string, claim: Claim, what: string): void
}

export function createClaims<T extends Claim>(code: DiagnosticCode, report: ReportProblem): Claims<T> {
  /** `isReported`: a conflict is already in the diagnostics of its file. */
  const claims = new Map<string, { readonly claim: T; readonly isReported: boolean }>()

  function reportBoth(first: { readonly claim: T; readonly isReported: boolean }, second: Claim, what: string): void {
    const describe = ({ manifest, declared, path }: Claim): Diagnostic =>
      manifest.diagnose(declared, { code, path, message: '' })
    const say = (claim: Claim, other: Diagnostic): void => {
      const message = `the ${what} is also claimed at ${other.file}:${other.line}:${other.column}`
      report(claim, { code, path: claim.path, message })
    }
    const [there, here] = [describe(first.claim), describe(second)]
    say(second, there)
    // Of thousands of claims, the first one names only one other.
    if (!first.isReported) say(first.claim, here)
  }

  return {
    add(key, claim, what) {
      const first = claims.get(key)
      if (first === undefined) {
        claims.set(key, { claim, isReported: false })
        return true
      }
      reportBoth(first, claim, what(first.claim))
      claims.set(key, { ...first, isReported: true })
      return false
    },
    oppose(key, claim, what) {
      const first = claims.get(key)
      if (first !== undefined) reportBoth(first, claim, what)
    },
  }
}
