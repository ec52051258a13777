/** Reasons of steps: a closed set, for programs; `schemas/plan.schema.json` has the same. */
export type Reason =
  | 'new' // declared, and not on the host yet
  | 'adopted' // on the host, not Reeve's until now, and `adopt: true`
  | 'definition-changed' // the manifest's definition isn't the one on disk
  | 'definition-drift' // the definition on disk was edited or deleted, and no manifest changed
  | 'file-changed'
  | 'rolled-back' // the definition or file of the revision before, as a newer one failed
  | 'file-drift'
  | 'file-dropped' // the manifest no longer has this file
  | 'out-of-date' // the process runs with an older definition or file than the one on disk
  | 'stopped' // should run
  | 'failed' // should run
  | 'running' // should be stopped
  | 'enablement' // enabled or disabled otherwise than declared now
  | 'enablement-drift' // enabled or disabled on the host, and no manifest changed it
  | 'unsupervised' // no supervisor watches it
  | 'unhealthy'
  | 'moved' // another supervisor or service name than before
  | 'pruned' // its manifest is gone
  | 'put-back' // a move failed, and the old service runs again
  | 'overwritten' // the program wrote the file as it ended
  | 'requested' // requested manually
  | 'undone' // other facilities' steps undo it repeatedly; in the history only
  | 'ended' // its process ended, and its supervisor restarted it; in the history only
