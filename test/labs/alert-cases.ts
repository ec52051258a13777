/** Series, by name and labels, with their values one after another in the notation of promtool: `0+1x5` counts from 0 to 5. */
type Series = Readonly<Record<string, string>>

/** A case in which an alert fires, and one in which it doesn't. */
export interface AlertCase {
  readonly fires: Series
  readonly quiet: Series
  /** Time from one value, and one look at the rules, to the next. Default: a minute. */
  readonly every?: string
  /** Time of the look that tells, since the first value. */
  readonly at: string
  /** The alert hasn't fired yet at that time. */
  readonly notBefore?: string
  readonly expected: { readonly labels: Readonly<Record<string, string>>; readonly summary: string }
}

const host = { instance: 'web-1', job: 'reeve' }

function named(name: string, labels: Readonly<Record<string, string>> = {}): string {
  const all = Object.entries({ ...host, ...labels }).map(([label, value]) => `${label}="${value}"`)
  return `${name}{${all.join(',')}}`
}

function expected(
  severity: 'critical' | 'warning' | 'info',
  summary: string,
  labels: Readonly<Record<string, string>> = {},
): AlertCase['expected'] {
  return { labels: { ...host, ...labels, severity }, summary: `web-1${summary}` }
}

const facility = { facility: 'web' }
const progressing = { commit: 'abc', outcome: 'Progressing' }
const source = { url: 'https://example.org/hosts.git' }

function conditionCase(condition: string, at: string, notBefore: string, summary: string): AlertCase {
  const series = named('reeve_facilities', { condition })
  const others = { [named('reeve_facilities', { condition: 'Reconciling' })]: '3x60' }
  return {
    fires: { [series]: '2x60' },
    quiet: { ...others, [series]: '0x60' },
    at,
    notBefore,
    expected: expected('warning', summary, { condition }),
  }
}

function outcomeCase(outcome: string, alert: Pick<AlertCase, 'at' | 'notBefore' | 'expected'>): AlertCase {
  const labels = { commit: 'abc', outcome }
  return {
    fires: { [named('reeve_revision_info', labels)]: '1x60' },
    quiet: {
      [named('reeve_revision_info', { ...labels, outcome: 'Healthy' })]: '1x60',
      [named('reeve_revision_info', { commit: 'def', outcome: '' })]: '1x60',
    },
    ...alert,
  }
}

export const alertCases: Readonly<Record<string, AlertCase>> = {
  ReeveDown: {
    fires: { [named('up')]: '0x20' },
    quiet: { [named('up')]: '1x20', 'up{instance="web-1",job="other"}': '0x20' },
    at: '6m',
    notBefore: '4m',
    expected: {
      ...expected('critical', ''),
      summary: 'The controller of web-1 does not answer; nothing corrects drift there.',
    },
  },
  ReeveNoSuccessfulPass: {
    fires: { [named('reeve_last_successful_pass_timestamp_seconds')]: '0x60' },
    quiet: { [named('reeve_last_successful_pass_timestamp_seconds')]: '0+60x60' },
    at: '40m',
    notBefore: '30m',
    expected: expected('critical', ': no pass of the controller has succeeded for 30 minutes.'),
  },
  ReeveCannotWrite: {
    fires: { [named('reeve_unwritable_since_timestamp_seconds', { supervisor: '', path: '/full' })]: '60x10' },
    quiet: { [named('up')]: '1x10' },
    at: '2m',
    notBefore: '0m',
    expected: expected('critical', ': /full cannot be written; is the disk full?', { path: '/full' }),
  },
  ReeveManifestErrors: {
    fires: { [named('reeve_manifest_errors')]: '2x20' },
    // Mended in time.
    quiet: { [named('reeve_manifest_errors')]: '2x3 0x20' },
    at: '6m',
    notBefore: '4m',
    expected: expected('warning', ': 2 errors in the manifests; facilities they declare stay as they were.'),
  },
  ReeveFacilityNotReady: {
    fires: {
      [named('reeve_facility_ready', facility)]: '0x30',
      [named('reeve_facility_ready', { facility: 'db' })]: '1x30',
    },
    // It was ready in between.
    quiet: { [named('reeve_facility_ready', facility)]: '0x9 1 0x20' },
    at: '16m',
    notBefore: '14m',
    expected: expected('warning', ': web is not ready.', facility),
  },
  ReeveFacilityRestarts: {
    fires: { [named('reeve_facility_restarts_total', facility)]: '0+1x60' },
    // Reeve has started it, and its supervisor counts anew.
    quiet: { [named('reeve_facility_restarts_total', facility)]: '400x30 0x30' },
    at: '60m',
    expected: expected('warning', ': web is restarted again and again.', facility),
  },
  ReeveFacilityDrifted: {
    fires: { [named('reeve_facility_drifted', facility)]: '1x90' },
    quiet: { [named('reeve_facility_drifted', facility)]: '1x30 0x60' },
    at: '61m',
    notBefore: '59m',
    expected: expected('info', ': web is otherwise than declared, and nothing is done about it.', facility),
  },
  ReeveFacilityStalled: conditionCase('Stalled', '11m', '9m', ': 2 facilities cannot go on by themselves.'),
  ReeveCrashLoop: conditionCase('CrashLooping', '6m', '4m', ': 2 facilities end soon after each start.'),
  ReeveDrift: {
    fires: { [named('reeve_drift_corrected_total')]: '0+1x60' },
    quiet: { [named('reeve_drift_corrected_total')]: '0x30 3x30' },
    at: '60m',
    expected: expected('warning', ': something keeps changing what Reeve manages.'),
  },
  ReeveReportMode: {
    fires: { [named('reeve_report_mode')]: '1x60' },
    quiet: { [named('reeve_report_mode')]: '1x30 0x30' },
    every: '30m',
    at: '24h',
    notBefore: '23h30m',
    expected: expected('info', ' has been in report mode for a day: nothing is changed there.'),
  },
  ReeveSourceNotAnswering: {
    fires: { [named('reeve_source_last_fetch_timestamp_seconds', source)]: '0x90' },
    quiet: { [named('reeve_source_last_fetch_timestamp_seconds', source)]: '0x30 1800x60' },
    at: '61m',
    notBefore: '59m',
    expected: expected('warning', ': https://example.org/hosts.git has not answered for an hour.', source),
  },
  ReeveSourceNeverAnswered: {
    fires: { [named('reeve_source_condition', { reason: 'Unreachable' })]: '1x30' },
    // It has answered before.
    quiet: {
      [named('reeve_source_condition', { reason: 'Unreachable' })]: '1x30',
      [named('reeve_source_last_fetch_timestamp_seconds', source)]: '0x30',
    },
    at: '16m',
    notBefore: '14m',
    expected: expected('warning', ': the Git repository has never answered (Unreachable).', { reason: 'Unreachable' }),
  },
  ReeveRevisionRefused: {
    fires: { [named('reeve_source_condition', { reason: 'NotFastForward' })]: '1x30' },
    quiet: { [named('reeve_source_condition', { reason: 'Unreachable' })]: '1x30' },
    at: '6m',
    notBefore: '4m',
    expected: expected('warning', ': the newest revision is refused (NotFastForward).', { reason: 'NotFastForward' }),
  },
  ReeveRevisionUntrusted: {
    // Both at once are one alert.
    fires: {
      [named('reeve_source_condition', { reason: 'Untrusted' })]: '_x4 1x30',
      [named('reeve_source_verification_failures_total')]: '0x4 1x30',
    },
    quiet: {
      [named('reeve_source_condition', { reason: 'UpToDate' })]: '1x30',
      [named('reeve_source_verification_failures_total')]: '4x30',
    },
    at: '10m',
    notBefore: '3m',
    expected: expected('critical', ': a revision is not applied, as a commit is not trusted.'),
  },
  ReeveRevisionFailed: outcomeCase('RolledBack', {
    at: '1m',
    expected: expected('warning', ': revision abc did not become healthy (RolledBack).', {
      commit: 'abc',
      outcome: 'RolledBack',
    }),
  }),
  ReeveRollbackFailed: outcomeCase('RollbackFailed', {
    at: '1m',
    expected: expected('critical', ': revision abc did not become healthy, and neither did the one before it.', {
      commit: 'abc',
      outcome: 'RollbackFailed',
    }),
  }),
  ReeveRevisionUnfinished: {
    fires: { [named('reeve_revision_info', progressing)]: '1x60', [named('reeve_report_mode')]: '0x60' },
    quiet: {
      [named('reeve_revision_info', progressing)]: '1x60',
      [named('reeve_report_mode')]: '1x60',
      'reeve_revision_info{instance="web-2",job="reeve",commit="abc",outcome="Healthy"}': '1x60',
    },
    at: '31m',
    notBefore: '29m',
    expected: expected('warning', ': revision abc has been under way for half an hour.', progressing),
  },
  ReeveRollbacks: {
    fires: { [named('reeve_rollbacks_total', { result: 'done' })]: '0x30 5x30' },
    quiet: { [named('reeve_rollbacks_total', { result: 'done' })]: '0x30 2x30' },
    at: '60m',
    expected: expected('warning', ': more than three revisions were rolled back in a day.', { result: 'done' }),
  },
}
