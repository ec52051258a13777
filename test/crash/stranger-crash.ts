import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { ConformanceHarness } from '../../src/conformance/index.ts'
import type { Sample } from '../runner/sample.ts'
import { bundleProgram } from '../tools/bundled-program.ts'
import type { CrashReport } from './crash-everywhere.ts'
import { type CrashHost, createCrashHost, type Revision } from './crash-host.ts'

const theirs = 'theirs\n'

/** Actions of a stranger on the file that is about to be written. */
export type Stranger =
  /** It existed before, and the manifest adopts it; after the crash the manifest is withdrawn. */
  | 'was-there'
  /** As before; the crash comes as the manifest is withdrawn, and the former file is restored. */
  | 'comes-back'
  /** Created after the crash, unless it exists. */
  | 'comes-after'

/**
 * E19: kills `apply` at the moments of a first installation with a file, or of its removal, and checks that a stranger's
 * file is never overwritten or removed, by a rerun or by withdrawing the manifest. For any provider.
 */
export async function crashBesideStranger(
  harness: ConformanceHarness,
  stranger: Stranger,
  { stride, first }: Sample,
): Promise<CrashReport> {
  using child = await bundleProgram(new URL('apply-child.ts', import.meta.url))
  await using host = await createCrashHost(harness, child.path)
  const failures: string[] = []
  let points = 0
  for (let moment = first; ; moment += stride) {
    const outcome = await crashAt(host, stranger, moment)
    if ('moments' in outcome) return { moments: outcome.moments, points, failures }
    points += 1
    if (outcome.failure !== undefined) failures.push(`moment ${moment}: ${outcome.failure}`)
  }
}

async function crashAt(
  host: CrashHost,
  stranger: Stranger,
  moment: number,
): Promise<{ readonly moments: number } | { readonly failure: string | undefined }> {
  const { place } = host
  const path = place.path(`file-${moment}`)
  const web = { process: { command: place.command(1) }, adopt: stranger !== 'comes-after' }
  const revision: Revision = { [`web${moment}`]: { ...web, files: [{ path, content: 'ours\n' }] } }
  if (stranger !== 'comes-after') writeFileSync(path, theirs)
  host.declare(revision)
  if (stranger === 'comes-back') {
    await host.apply()
    host.declare({})
  }
  const outcome = await host.applyAndDie(moment, 'distinct')
  if (!('died' in outcome)) return outcome
  const isWritten = existsSync(path) && readFileSync(path, 'utf8') !== theirs
  if (stranger === 'comes-after' && !isWritten) {
    writeFileSync(path, theirs)
    await host.apply(true) // it is blocked
  }
  const before = read(path)
  host.declare({})
  await host.apply()
  const after = read(path)
  if (stranger !== 'comes-after') {
    return {
      failure:
        after === theirs ? undefined : `${outcome.died}: found ${before ?? 'nothing'}, then ${after ?? 'nothing'}`,
    }
  }
  if (isWritten) return { failure: after === undefined ? undefined : `${outcome.died}: what Reeve wrote is left` }
  const isKept = before === theirs && after === theirs
  return { failure: isKept ? undefined : `${outcome.died}: found ${before ?? 'nothing'}, then ${after ?? 'nothing'}` }
}

function read(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}
