import type { Bus, ReadHost } from '../../src/core/provider.ts'
import { lost } from './jobs.ts'
import type { Layout } from './layout.ts'
import type { LoadedUnit } from './manager.ts'

/** How many of the last lines of the journal an error carries. */
const lineCount = 5

/** What `ReadHost.query` is used for: it prints, and nothing else. */
export const journalQuery: readonly string[] = ['journalctl', '--no-pager', '--quiet', '--output=cat']

/** Why a job didn't do what it was to do, with what the unit has said last. */
export async function describeJobFailure(
  unit: string,
  result: string,
  {
    host,
    layout,
  }: {
    readonly bus: Bus
    readonly host: ReadHost
    readonly layout: Layout
    readonly units: ReadonlyMap<string, LoadedUnit>
  },
): Promise<string> {
  const lines = await readJournal(unit, layout, host)
  const said = lines.length > 0 ? `; its journal ends with:\n${lines.map(line => `  ${line}`).join('\n')}` : ''
  const what =
    result === lost
      ? `the connection to systemd was lost during the job of ${unit}, and it is not known to have succeeded`
      : `systemd ended the job of ${unit} with "${result}"`
  return `${what}${said}`
}

async function readJournal(unit: string, { isUser }: Layout, host: ReadHost): Promise<string[]> {
  const chosen = isUser ? `--user-unit=${unit}` : `--unit=${unit}`
  try {
    const { stdout } = await host.query([...journalQuery, `--lines=${lineCount}`, chosen])
    return stdout.split('\n').filter(Boolean)
  } catch {
    return [] // there is no journal on this host
  }
}
