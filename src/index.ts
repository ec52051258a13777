/**
 * What outside providers and other programs may build on. Everything else is Reeve's own affair.
 */
export type { Facility, Instance, PortableField, Process, SecretReference } from './core/facility.ts'
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
} from './core/observed.ts'
export type {
  Action,
  ActionResult,
  Availability,
  Capabilities,
  Definition,
  DefinitionFile,
  FileFacts,
  Hosting,
  ProcessFacts,
  Provider,
  QueryResult,
  ReadHost,
  Rendered,
  Report,
  RunOptions,
  ServiceVerb,
  SpawnedProcess,
  SpawnOptions,
  WriteHost,
} from './core/provider.ts'
export { type ErrorCode, ReeveError, type SourcePosition } from './core/reeve-error.ts'
export type { ServiceNames } from './core/service-name.ts'
export type { Change, Diagnostic, FacilityPlan, Plan, PlanSummary, Reason, Step, Verb } from './core/step.ts'
export type { FacilityStatus, Status } from './engine/status.ts'
