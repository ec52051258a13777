import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { installDefinition } from '../../../providers/scan-directory/apply/installation.ts'
import { placeOf } from '../../../providers/scan-directory/layout.ts'
import type { Definition } from '../../../src/core/model/definition.ts'
import { createWriteHost } from '../../../src/host/write-host.ts'

/** Installs over somebody else's definition, and fails at an effect. Returns whether it completed. */
async function takeOver(directory: string, effects: number): Promise<boolean> {
  const definitions = join(directory, 'sv')
  const place = placeOf({ services: join(directory, 'service'), definitions, owner: undefined }, 'web')
  rmSync(definitions, { recursive: true, force: true })
  mkdirSync(place.directory, { recursive: true })
  for (const name of ['run', 'finish']) writeFileSync(join(place.directory, name), 'theirs\n')
  const definition: Definition = {
    files: ['reeve.json', 'run', 'finish', 'reeve/files'].map(name => ({
      path: join(place.directory, name),
      content: `ours: ${name}\n`,
      mode: 0o644,
    })),
    digest: '',
  }
  let count = 0
  const host = createWriteHost({
    onEffect(effect, phase) {
      if (phase === 'after') return
      count += 1
      if (count === effects) throw new Error(`no space left for ${effect.target}`)
    },
  })
  const installing = installDefinition(definition, place, { host, findOrphan: () => undefined })
  const isDone = await installing.then(
    () => true,
    () => false,
  )
  // The marker says that the definition may be removed.
  if (existsSync(place.marker)) {
    for (const name of ['run', 'finish'])
      expect(readFileSync(join(place.directory, name), 'utf8')).toBe(`ours: ${name}\n`)
  }
  return isDone
}

test('E19: somebody else’s definition counts as Reeve’s only once it has been replaced, wherever that fails', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'reeve-takeover-'))
  try {
    let effects = 1
    while (!(await takeOver(directory, effects))) effects += 1
    expect(effects).toBeGreaterThan(8)
    expect(existsSync(join(directory, 'sv/web/reeve.json'))).toBe(true)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
