import pLimit from 'p-limit'
import type { Log } from '../../core/contracts/log.ts'
import { findUntold, type SourceStatus, type WaitingRevision } from '../../core/contracts/source-status.ts'
import { messageOf } from '../../core/reeve-error.ts'
import { abortable } from '../../host/abortable.ts'
import type { Clock } from '../../host/clock.ts'
import { openDeadline } from '../../host/deadline.ts'
import type { Webhook } from '../../server/webhook.ts'
import type { GitSource } from '../../source/git-source.ts'
import { nextFetch } from '../../source/schedule.ts'
import type { FollowedSource } from '../control/source-control.ts'
import type { RevisionRecord } from '../rollout/revision-record.ts'
import { openRollout, type Rollout } from '../rollout/rollout.ts'
import type { Session } from '../session/session.ts'

export interface SourceSyncOptions {
  readonly clock: Clock
  readonly log: Log
  /** In milliseconds. */
  readonly interval: number
  /** From 0 to 1. */
  readonly random?: () => number
  /** Another revision is in force. */
  readonly changed: () => void
  /** The repository was asked. */
  readonly asked?: (status: SourceStatus) => void
}

export interface SourceSync extends Pick<FollowedSource, 'sync' | 'accept'> {
  /** Has the repository asked soon; what comes of it is in the log and the status. */
  request(): void
  /** Gives up what is under way. */
  end(): Promise<void>
}

/** A source that a controller follows. */
export interface ControllerSource extends SourceSync {
  readonly rollout: Rollout
  readonly webhook?: Webhook
}

export interface SourceGround extends Pick<SourceSyncOptions, 'log' | 'changed' | 'asked'> {
  /** The revision is to be judged again, at this time of `Clock.elapsed`. */
  readonly again: (at: number) => void
  /** A revision has got another outcome. */
  readonly told: (record: RevisionRecord) => void
  readonly signal: AbortSignal
}

/** So long (ms) a controller without a revision waits for the first. */
const firstFetch = 20_000

/** The source of the host configuration, followed; undefined: the manifests come from a directory. */
export async function openSourceSync(
  session: Session,
  { signal, again, told, ...ground }: SourceGround,
): Promise<ControllerSource | undefined> {
  const { clock, configuration, followsSource } = session
  if (!followsSource || configuration.source?.type !== 'git') return undefined
  const { openSource, readWebhookSecret } = await import('../session/source-opening.ts')
  const { interval, webhook } = configuration.source
  const rollout = openRollout(session, {
    open: admission => openSource(session, admission),
    isController: true,
    changed: ground.changed,
    again,
    told,
    signal,
  })
  const { source } = rollout
  const sync = followSource({ ...source, status: rollout.status }, { clock, interval, ...ground })
  if (!source.revision()) {
    using limit = openDeadline(clock, firstFetch, [signal])
    // How it went is in the status.
    await abortable(sync.sync(), limit.signal).catch(() => {})
  }
  if (!webhook) return { ...sync, rollout }
  const secret = (): string => readWebhookSecret(webhook.secretFile, session)
  secret() // A bad one is told now, and not to the forge.
  const { createWebhook } = await import('../../server/webhook.ts')
  return { ...sync, rollout, webhook: createWebhook({ secret, sync: sync.request, clock }) }
}

/** Reasons for which the repository is asked at the usual interval: it answered, and a commit that mends it may come at any time. */
const hasAnswered: ReadonlySet<string> = new Set(['UpToDate', 'Untrusted', 'NotFastForward', 'TreeRefused'])

/** Follows a source: asks it now, again and again, and when somebody wants it. */
export function followSource(
  source: Pick<GitSource, 'status' | 'sync' | 'accept'>,
  options: SourceSyncOptions,
): SourceSync {
  const { clock, interval, log, random = Math.random } = options
  const inTurn = pLimit(1)
  const stop = new AbortController()
  let failures = 0
  let timer: Disposable | undefined
  let told = source.status().condition
  let toldWaiting: WaitingRevision | undefined
  /** One that has not begun yet answers for all who ask meanwhile. */
  let waiting: Promise<SourceStatus> | undefined

  async function syncOnce(): Promise<SourceStatus> {
    waiting = undefined
    timer?.[Symbol.dispose]()
    try {
      const hasChanged = await source.sync(stop.signal)
      const status = source.status()
      failures = hasAnswered.has(status.condition.reason) ? 0 : failures + 1
      tell(status, hasChanged)
      options.asked?.(status)
      if (hasChanged) options.changed()
      return status
    } finally {
      // Whatever fails, it is asked again.
      if (!stop.signal.aborted) timer = clock.after(nextFetch(interval, failures, random()), request)
    }
  }

  function request(): void {
    sync().catch((error: unknown) => {
      if (!stop.signal.aborted) log.error({}, `cannot follow ${source.status().url}: ${messageOf(error)}`)
    })
  }

  function sync(): Promise<SourceStatus> {
    waiting ??= inTurn(syncOnce)
    return waiting
  }

  /** A failure once, until it is another one or over. */
  function tell(status: SourceStatus, hasChanged: boolean): void {
    const { condition, revision, url } = status
    if (revision && hasChanged) {
      const { commit, subject, author } = revision
      log.info({ commit, author }, `revision ${commit.slice(0, 12)} is in force: ${subject}`)
    }
    tellWaiting(findUntold(status))
    if (condition.reason === told.reason && condition.message === told.message) return
    const hadFailed = told.reason !== 'UpToDate' && told.reason !== 'Pending'
    told = condition
    if (condition.reason !== 'UpToDate') {
      const rest = revision ? `${revision.commit.slice(0, 12)} stays in force` : 'no revision is in force yet'
      log.warn({ reason: condition.reason }, `cannot follow ${url}: ${condition.message}; ${rest}`)
    } else if (hadFailed && !hasChanged) log.info({}, `${url} is followed again`)
  }

  function tellWaiting(waiting: WaitingRevision | undefined): void {
    if (waiting && (waiting.commit !== toldWaiting?.commit || waiting.message !== toldWaiting.message)) {
      const { commit, message } = waiting
      log.warn({ commit }, `revision ${commit.slice(0, 12)} waits: ${message}`)
    }
    toldWaiting = waiting
  }

  request()
  return {
    sync,
    request,
    async accept(commit) {
      await sync()
      source.accept(commit)
      return sync()
    },
    async end() {
      timer?.[Symbol.dispose]()
      stop.abort(new Error('the controller ends'))
      await inTurn(async () => {})
      timer?.[Symbol.dispose]()
    },
  }
}
