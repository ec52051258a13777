/** Why a step is in a plan: closed, for programs; `schemas/plan.schema.json` lists the same. */
export type Reason =
  | 'new' // declared, and not on the host yet
  | 'adopted' // on the host, not Reeve's till now, and `adopt: true`
  | 'definition-changed' // the manifest's definition isn't the one on disk
  | 'definition-drift' // the definition on disk was edited or deleted, and no manifest changed
  | 'file-changed'
  | 'file-drift'
  | 'file-dropped' // the manifest no longer has this file
  | 'out-of-date' // the process runs with an older definition or file than the one on disk
  | 'stopped' // should run
  | 'failed' // should run
  | 'running' // should be stopped
  | 'enablement' // enabled or disabled otherwise than declared now
  | 'enablement-drift' // enabled or disabled on the host, and no manifest changed it
  | 'unsupervised' // nobody watches over it
  | 'unhealthy'
  | 'moved' // another supervisor or service name than before
  | 'pruned' // its manifest is gone
  | 'put-back' // a move failed, and the old service runs again
  | 'overwritten' // the program wrote the file as it ended
  | 'requested' // somebody asked for it by hand
  | 'undone' // steps of other facilities undo it, over and over: in the history only
  | 'ended' // its process ended, and its supervisor has started it again: in the history only
