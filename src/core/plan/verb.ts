/** Verbs: the closed set of Reeve's actions on a host. Each is idempotent. */
export type Verb =
  | 'install' // the definition is on disk and loaded by the supervisor
  | 'remove' // the definition is gone, also from the supervisor
  | 'enable'
  | 'disable'
  | 'start'
  | 'stop'
  | 'restart' // a stopped service is started
  | 'reload' // a stopped service stays stopped
  | 'write-file'
  | 'remove-file'
  | 'restore-file' // as it was before its adoption

/** As in `web to be stopped`. */
export const participles: Readonly<Record<Verb, string>> = {
  install: 'installed',
  remove: 'removed',
  enable: 'enabled',
  disable: 'disabled',
  start: 'started',
  stop: 'stopped',
  restart: 'restarted',
  reload: 'reloaded',
  'write-file': 'written',
  'remove-file': 'removed',
  'restore-file': 'put back',
}
