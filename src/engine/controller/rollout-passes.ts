import type { Log } from '../../core/contracts/log.ts'
import { messageOf } from '../../core/reeve-error.ts'
import type { Clock } from '../../host/clock.ts'
import type { Look } from '../rollout/look.ts'
import type { Rollout } from '../rollout/rollout.ts'
import type { ReconcileQueue } from './reconcile-queue.ts'

/** Has the roll-out judge what passes find, and passes made when it is due to be judged. */
export interface RolloutPasses extends Disposable {
  /** Undefined: the manifests come from a directory. */
  follow(rollout: Rollout | undefined): void
  passed(look: () => Look): void
  again(at: number): void
}

export function createRolloutPasses({
  clock,
  queue,
  log,
  signal,
}: {
  readonly clock: Clock
  readonly queue: ReconcileQueue
  readonly log: Log
  readonly signal: AbortSignal
}): RolloutPasses {
  let rollout: Rollout | undefined
  let timer: Disposable | undefined
  let latest: Look | undefined
  let isJudging = false

  /** Judges by what was found last: a repository that doesn't answer may take longer than many passes. */
  async function judgeLatest(followed: Rollout): Promise<void> {
    if (isJudging) return
    isJudging = true
    try {
      for (let look = latest; look; look = latest) {
        latest = undefined
        await judge(followed, look)
      }
    } finally {
      isJudging = false
    }
  }

  async function judge(followed: Rollout, look: Look): Promise<void> {
    const before = describeGate(followed)
    await followed.judge(look)
    // Removals begin only in a pass that has read the manifests.
    if (describeGate(followed) !== before) queue.manifests()
  }

  return {
    follow(followed) {
      rollout = followed
    },
    passed(found) {
      if (!rollout?.isOpen()) return
      latest = found()
      judgeLatest(rollout).catch((error: unknown) => {
        if (!signal.aborted) log.error({}, `cannot judge the revision in force: ${messageOf(error)}`)
      })
    },
    again(at) {
      timer?.[Symbol.dispose]()
      timer = clock.after(Math.max(0, at - clock.elapsed()), () => {
        const waiting = rollout?.waiting() ?? []
        if (waiting.length === 0) queue.full()
        for (const name of waiting) queue.facility(name)
      })
    },
    [Symbol.dispose]: () => timer?.[Symbol.dispose](),
  }
}

function describeGate({ gate }: Rollout): string {
  const { begun = [], healthy = [], limit } = gate() ?? {}
  return JSON.stringify([[...begun], [...healthy], limit])
}
