export type {
  FileFacts,
  ProcessFacts,
  QueryResult,
  ReadHost,
  RunOptions,
  SpawnedProcess,
  SpawnOptions,
  WriteHost,
} from './core/contracts/host.ts'
/**
 * What outside providers and other programs may build on. Everything else is Reeve's own affair.
 */

export type {
  Action,
  ActionResult,
  Availability,
  Capabilities,
  Definition,
  DefinitionFile,
  Hosting,
  Provider,
  Rendered,
  Report,
  ServiceVerb,
} from './core/contracts/provider.ts'
export type { FacilityStatus, Status } from './core/contracts/status.ts'
export type { Facility, Instance, PortableField, Process, SecretReference } from './core/model/facility.ts'
export type { ServiceNames } from './core/model/service-name.ts'
export type { Change, Diagnostic, FacilityPlan, Plan, PlanSummary, Reason, Step, Verb } from './core/plan/step.ts'
export { type ErrorCode, ReeveError, type SourcePosition } from './core/reeve-error.ts'
export type {
  Activation,
  Exit,
  Failure,
  Loaded,
  Observed,
  OwnedService,
  Ownership,
  Run,
  ServiceState,
} from './core/state/observed.ts'
