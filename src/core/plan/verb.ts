/** The closed set of things that Reeve does to a host. Each is idempotent. */
export type Verb =
  | 'install' // the definition is on disk and the supervisor has taken note of it
  | 'remove' // the definition is gone, and nothing of it is left in the supervisor
  | 'enable'
  | 'disable'
  | 'start'
  | 'stop'
  | 'restart' // a stopped service is started
  | 'reload' // a stopped service stays stopped
  | 'write-file'
  | 'remove-file'
  | 'restore-file' // as it was before it was adopted

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
