/**
 * What outside providers and other programs may build on. Everything else is Reeve's own affair.
 */

export { type DefinitionText, defineTexts, readTexts } from '../providers/posix/marked-text.ts'
export { readOwnership } from '../providers/posix/marker.ts'
export { quoteWord, quoteWords } from '../providers/posix/shell-quoting.ts'
export { abortionOf, failureOf } from './authoring/action-report.ts'
export { coalesce } from './authoring/coalesce.ts'
export {
  type Act,
  type EachActionOptions,
  eachAction,
  type Task,
  type VerbActs,
  type WaitOptions,
} from './authoring/each-action.ts'
export { type EndOptions, endGroup, type ProcessGroup } from './authoring/process-group.ts'
export { countRestarts } from './authoring/restart-count.ts'
export type * from './core/contracts/bus.ts'
export type * from './core/contracts/clock.ts'
export type * from './core/contracts/host.ts'
export type * from './core/contracts/hosting.ts'
export type * from './core/contracts/log.ts'
export type * from './core/contracts/provider.ts'
export type * from './core/contracts/query-rules.ts'
export type { FacilityStatus, Status } from './core/contracts/status.ts'
export type { Definition, DefinitionFile } from './core/model/definition.ts'
export type { Diagnostic } from './core/model/diagnostic.ts'
export type { Facility, Instance, PortableField, Process, SecretReference } from './core/model/facility.ts'
export type { ServiceNames } from './core/model/service-name.ts'
export type { StartNeeds } from './core/model/start-needs.ts'
export type { UserIdentity } from './core/model/user-identity.ts'
export type { UnsafePart } from './core/paths/path-safety.ts'
export type { Reason } from './core/plan/reason.ts'
export type { Change, FacilityPlan, Plan, PlanSummary, Step } from './core/plan/step.ts'
export type { Verb } from './core/plan/verb.ts'
export { type ErrorCode, ReeveError, type SourcePosition } from './core/reeve-error.ts'
export type * from './core/state/observed.ts'
export { unknownService } from './core/state/observed.ts'
export type { BesideOutput } from './core/state/output-places.ts'
export type { Relation, RelationKind, ServiceTies } from './core/state/relation.ts'
export type { Unwritable } from './core/state/unwritable.ts'
