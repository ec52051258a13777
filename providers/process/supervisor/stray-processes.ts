import { tryTo } from '../../../src/core/try-to.ts'
import { isLiving } from '../../../src/host/process-identity.ts'
import { describeBackground, markVariable } from '../../posix/background.ts'
import { runPath } from '../shared/layout.ts'
import { goodRun } from '../shared/life-cycle.ts'
import { readCommandLine, scriptOf } from './run-facts.ts'
import { type Context, type Service, setRecord } from './service.ts'

/**
 * A program that daemonizes leaves its session, and the started process exits at once, successfully, by itself. Each start
 * would leave one more copy. Processes that a foreground service has put into another session may belong there, and are left
 * alone.
 */
export function findStrays(service: Service, context: Context): number[] {
  const { record, definition } = service
  const { exit, mark } = record
  if (mark === undefined) return []
  if (exit?.run !== record.run || exit.code !== 0 || exit.at - (record.startedAt ?? 0) >= goodRun) return []
  const strays = findMarked(mark, service, context)
  const isAsked = record.asked === true || record.want === 'down'
  if (strays.length === 0 || isAsked || record.background?.run === record.run) return strays
  const message = describeBackground(definition.kind === 'valid' ? definition.process.command : [])
  setRecord(service, { ...record, background: { run: record.run, message } })
  context.log.error({ service: service.name, run: record.run, pids: strays.join(' ') }, message)
  return strays
}

function findMarked(mark: string, { name, record }: Service, { host, layout }: Context): number[] {
  const script = runPath(layout, name, record.run, 'sh')
  return host.processes().filter(pid => {
    if (!isLiving(host.process(pid))) return false
    const environment = tryTo(() => host.readText(`/proc/${pid}/environ`)) // gone, or another user's
    const hasMark = environment?.split('\0').includes(`${markVariable}=${mark}`)
    return hasMark && scriptOf(readCommandLine(host, pid)) !== script
  })
}
