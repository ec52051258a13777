import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import type { ManifestSet } from '../../../src/manifest/manifest-set.ts'
import { createManifestSource, loadManifests } from '../../../src/manifest/manifest-source.ts'
import { facilityText, makeDirectory, writeFiles } from '../../tools/manifest-directory.ts'

const types = ['process']
const version = (name: string, number: number) => facilityText(name, `process: { command: [/bin/true, "${number}"] }`)

describe('PITFALLS 1: half-written files, and files that editors and other writers leave:', () => {
  test('swap, backup and temporary files of editors, rsync and kubelet are not read', () => {
    const directory = makeDirectory({ 'web.yaml': facilityText('web') })
    const junk = ['.web.yaml.swp', '.#web.yaml', '#web.yaml#', '_web.yaml', 'web.yaml~', 'web.yaml.bak', 'web.yaml.tmp']
    const more = [
      'web.yaml.backup',
      '.web.yaml.Xa81b2',
      'web.yaml.orig',
      'web.yaml.rej',
      '4913',
      'README.md',
      'web.YAML',
    ]
    for (const name of [...junk, ...more]) writeFileSync(join(directory, name), 'not: [a manifest')
    writeFiles(directory, { '.git/config.yaml': '[', '_old/web.yaml': facilityText('web'), '#tmp/web.yaml': '[' })
    expect(loadManifests({ directory, types })).toMatchObject({ complete: true, facilities: [{ name: 'web' }] })
  })

  test('a file cut off at any point never removes a service', () => {
    const directory = makeDirectory({ 'web.yaml': version('web', 1), 'db.yaml': facilityText('db') })
    const source = createManifestSource({ directory, types })
    const before = source.read()
    const file = join(directory, 'web.yaml')
    for (let length = version('web', 1).trimEnd().length - 1; length >= 0; length--) {
      truncateSync(file, length)
      const set = source.read()
      expect({ length, complete: set.complete, facilities: set.facilities }).toEqual({
        length,
        complete: false,
        facilities: before.facilities,
      })
    }
  })

  test('a file replaced by rename is read as the old or the new one', () => {
    const directory = makeDirectory({ 'web.yaml': version('web', 1) })
    const source = createManifestSource({ directory, types })
    source.read()
    writeFileSync(join(directory, '.web.yaml.new'), version('web', 2))
    expect(commands(source.read())).toEqual(['1'])
    renameSync(join(directory, '.web.yaml.new'), join(directory, 'web.yaml'))
    expect(commands(source.read())).toEqual(['2'])
  })
})

describe('PITFALLS 2: a missing or unreadable directory is not an empty one:', () => {
  test('E9: a missing directory removes nothing', () => {
    const directory = makeDirectory({ 'sub/web.yaml': facilityText('web') })
    const source = createManifestSource({ directory, types })
    source.read()
    renameSync(directory, `${directory}.away`)
    expect(source.read()).toMatchObject({
      complete: false,
      diagnostics: [{ code: 'directory-missing', file: directory }],
      facilities: [{ name: 'web' }],
    })
    renameSync(`${directory}.away`, directory)
    expect(source.read()).toMatchObject({ complete: true, facilities: [{ name: 'web' }] })
  })

  test('E9: a directory that never existed gives no complete set', () => {
    const directory = join(makeDirectory(), 'nowhere')
    expect(loadManifests({ directory, types })).toMatchObject({ complete: false, facilities: [] })
  })

  test('E9: a dangling link removes nothing', () => {
    const base = makeDirectory({ 'one/web.yaml': facilityText('web') })
    const directory = join(base, 'current')
    symlinkSync('one', directory)
    const source = createManifestSource({ directory, types })
    source.read()
    rmSync(directory)
    symlinkSync('two', directory)
    expect(source.read()).toMatchObject({ complete: false, facilities: [{ name: 'web' }] })
  })
})

test('PITFALLS 3: a file that does not parse keeps its services, and is named', () => {
  const directory = makeDirectory({ 'web.yaml': facilityText('web'), 'db.yaml': facilityText('db') })
  const source = createManifestSource({ directory, types })
  source.read()
  writeFiles(directory, { 'web.yaml': 'kind: [' })
  expect(source.read()).toMatchObject({
    complete: false,
    diagnostics: [{ file: join(directory, 'web.yaml'), line: 1, code: 'yaml-syntax' }],
    facilities: [{ name: 'db' }, { name: 'web' }],
  })
})

describe('PITFALLS 4: symlink swaps, as by git-sync and ConfigMaps:', () => {
  test('with git-sync, the directory is a link to a worktree named by its commit', () => {
    const base = makeDirectory({
      '.worktrees/1111111/web.yaml': withSource(1),
      '.worktrees/1111111/web.toml': '1',
      '.worktrees/2222222/web.yaml': withSource(2),
      '.worktrees/2222222/web.toml': '2',
    })
    const directory = join(base, 'current')
    symlinkSync('.worktrees/1111111', directory)
    const source = createManifestSource({ directory, types })
    const before = source.read()
    expect(before).toMatchObject({ complete: true, revision: join(base, '.worktrees/1111111') })

    symlinkSync('.worktrees/2222222', join(base, '.next'))
    renameSync(join(base, '.next'), directory)
    const after = source.read()
    expect(after).toMatchObject({ complete: true, revision: join(base, '.worktrees/2222222') })
    expect(commands(after)).toEqual(['2'])
    expect(contents(after)).toEqual(['2'])
    expect(after.facilities[0]?.position.file).toBe(join(directory, 'web.yaml'))
  })

  test('with git-sync, a new commit with the same content changes no definition', () => {
    const text = facilityText('web', 'process: { command: [/bin/true], workingDirectory: ., environmentFiles: [env] }')
    const base = makeDirectory({ '.worktrees/1/app/web.yaml': text, '.worktrees/2/app/web.yaml': text })
    symlinkSync('.worktrees/1', join(base, 'current'))
    const source = createManifestSource({ directory: join(base, 'current/app'), types })
    const before = source.read().facilities
    rmSync(join(base, 'current'))
    symlinkSync('.worktrees/2', join(base, 'current'))
    const after = source.read().facilities
    expect(after).toEqual(before)
    expect(after[0]?.process?.workingDirectory).toBe(join(base, 'current/app'))
  })

  test('in a ConfigMap, files and directories are links into ..data, which is a link', () => {
    const directory = makeDirectory({
      '..2024_01/web.yaml': withSource(1),
      '..2024_01/web.toml': '1',
      '..2024_01/sub/db.yaml': version('db', 1),
      '..2024_02/web.yaml': withSource(2),
      '..2024_02/web.toml': '2',
      '..2024_02/sub/db.yaml': version('db', 2),
    })
    symlinkSync('..2024_01', join(directory, '..data'))
    for (const name of ['web.yaml', 'web.toml', 'sub']) symlinkSync(`..data/${name}`, join(directory, name))
    const source = createManifestSource({ directory, types })
    const before = source.read()
    expect(before).toMatchObject({ complete: true, diagnostics: [] })
    expect(commands(before)).toEqual(['1', '1'])

    symlinkSync('..2024_02', join(directory, '..data_tmp'))
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
    rmSync(join(directory, '..2024_01'), { recursive: true })
    const after = source.read()
    expect(after).toMatchObject({ complete: true, diagnostics: [] })
    expect(commands(after)).toEqual(['2', '2'])
    expect(contents(after)).toEqual(['2'])
  })

  test('under continuous swaps, every complete set is of one revision', async () => {
    const base = makeDirectory()
    for (const number of [1, 2]) {
      const files = Array.from({ length: 20 }, (_, index) => [`${number}/f${index}.yaml`, version(`f${index}`, number)])
      writeFiles(base, Object.fromEntries(files))
    }
    const directory = join(base, 'current')
    symlinkSync('1', directory)
    const stop = await swapForEver(base)
    const source = createManifestSource({ directory, types })
    const seen = new Set<string>()
    const deadline = performance.now() + 30_000
    let complete = 0
    while ((complete < 200 || seen.size < 2) && performance.now() < deadline) {
      const set = source.read()
      expect(set.facilities.length).toBe(20)
      if (!set.complete) continue
      complete++
      const [only, ...others] = new Set(commands(set))
      expect(others).toEqual([])
      seen.add(only ?? '')
    }
    await stop()
    expect([...seen].sort()).toEqual(['1', '2'])
    expect(complete).toBeGreaterThanOrEqual(200)
  })

  test('circular links, or links to the directory itself, are followed once', () => {
    const directory = makeDirectory({ 'web.yaml': facilityText('web'), 'sub/db.yaml': facilityText('db') })
    symlinkSync('.', join(directory, 'again'))
    symlinkSync('../sub', join(directory, 'sub/loop'))
    symlinkSync('sub', join(directory, 'alias'))
    expect(loadManifests({ directory, types })).toMatchObject({
      complete: true,
      facilities: [{ name: 'db', position: { file: join(directory, 'sub/db.yaml') } }, { name: 'web' }],
    })
  })

  test('S6: a link to a file or directory elsewhere is refused, and its content not shown', () => {
    const elsewhere = makeDirectory({ 'secret.yaml': 'password: hunter2\n', 'sub/x.yaml': 'password: hunter2\n' })
    const directory = makeDirectory({ 'db.yaml': facilityText('db') })
    symlinkSync(join(elsewhere, 'secret.yaml'), join(directory, 'web.yaml'))
    symlinkSync(join(elsewhere, 'sub'), join(directory, 'sub'))
    const set = loadManifests({ directory, types })
    expect(set.diagnostics.map(({ code, file }) => [code, file])).toEqual([
      ['link-outside', join(directory, 'sub')],
      ['link-outside', join(directory, 'web.yaml')],
    ])
    expect(JSON.stringify(set)).not.toContain('hunter2')
    expect(set.complete).toBe(false)
  })

  test('S6: a named pipe or a device does not delay the loader', () => {
    const directory = makeDirectory({ 'db.yaml': facilityText('db') })
    mkdirSync(join(directory, 'dir.yaml'))
    symlinkSync('/dev/zero', join(directory, 'zero.yaml'))
    const set = loadManifests({ directory, types })
    expect(set.diagnostics.map(({ code }) => code)).toEqual(['link-outside'])
    expect(set.facilities.map(({ name }) => name)).toEqual(['db'])
  })
})

describe('PITFALLS 5: a worktree that is being checked out', () => {
  test('is complete only if it did not change while being read', async () => {
    const directory = makeDirectory({ 'web.yaml': facilityText('web') })
    const stop = await rewriteForEver(directory)
    const source = createManifestSource({ directory, types })
    const deadline = performance.now() + 30_000
    for (let passes = 0; passes < 300 && performance.now() < deadline; passes++) {
      const set = source.read()
      if (set.complete) expect(set.diagnostics).toEqual([])
      expect(set.facilities.map(({ name }) => name)).toContain('web')
    }
    await stop()
    expect(source.read()).toMatchObject({ complete: true, diagnostics: [] })
  })
})

test('PITFALLS 6: every read reads everything: a change is found without an event', () => {
  const directory = makeDirectory({ 'web.yaml': version('web', 1) })
  const source = createManifestSource({ directory, types })
  source.read()
  const file = join(directory, 'web.yaml')
  // The same length, in place, repeatedly: neither size nor inode changes.
  for (let number = 2; number <= 9; number++) {
    writeFileSync(file, version('web', number))
    expect(commands(source.read())).toEqual([String(number)])
  }
  rmSync(directory, { recursive: true })
  source.read()
  mkdirSync(directory)
  writeFileSync(file, version('web', 3))
  expect(commands(source.read())).toEqual(['3'])
})

test('PITFALLS 7: a file removed and added again, or written with the same content, is no change', () => {
  const directory = makeDirectory({ 'web.yaml': facilityText('web') })
  const source = createManifestSource({ directory, types })
  const before = source.read()
  rmSync(join(directory, 'web.yaml'))
  writeFiles(directory, { 'web.yaml': facilityText('web') })
  expect(source.read()).toEqual(before)
  rmSync(join(directory, 'web.yaml'))
  source.read()
  writeFiles(directory, { 'web.yaml': facilityText('web') })
  expect(source.read()).toEqual(before)
})

test('PITFALLS 8: a rename or a move to another file leaves the facility unchanged', () => {
  const directory = makeDirectory({ 'a.yaml': `${facilityText('web')}---\n${facilityText('db')}` })
  const source = createManifestSource({ directory, types })
  const before = source.read()
  renameSync(join(directory, 'a.yaml'), join(directory, 'b.yaml'))
  expect(digests(source.read())).toEqual(digests(before))
  writeFiles(directory, { 'b.yaml': facilityText('web'), 'sub/c.yaml': facilityText('db') })
  const after = source.read()
  expect(after.complete).toBe(true)
  expect(digests(after)).toEqual(digests(before))
})

function withSource(number: number): string {
  const files = 'files: [{ path: /etc/web.toml, source: ./web.toml }]'
  return facilityText('web', `process: { command: [/bin/true, "${number}"] }, ${files}`)
}

function commands(set: ManifestSet): (string | undefined)[] {
  return set.facilities.map(({ process }) => process?.command[1])
}

function contents(set: ManifestSet): string[] {
  return set.facilities.flatMap(({ files }) => files.map(file => Buffer.from(file.content).toString()))
}

function digests(set: ManifestSet): [string, string][] {
  return set.facilities.map(({ name, digest }) => [name, digest])
}

/** Switches the link `current` between `1` and `2` as fast as possible, until it is told to stop. */
function swapForEver(base: string): Promise<() => Promise<number>> {
  return runForEver(
    `for (const number of ['1', '2']) {
      symlinkSync(number, base + '/.next')
      renameSync(base + '/.next', base + '/current')
    }`,
    base,
  )
}

/** Writes and removes files as a checkout does: not atomically. */
function rewriteForEver(base: string): Promise<() => Promise<number>> {
  const text = facilityText('extra')
  return runForEver(
    `writeFileSync(base + '/extra.yaml', ${JSON.stringify(text.slice(0, 40))})
    appendFileSync(base + '/extra.yaml', ${JSON.stringify(text.slice(40))})
    unlinkSync(base + '/extra.yaml')`,
    base,
  )
}

async function runForEver(code: string, base: string): Promise<() => Promise<number>> {
  const worker = new Worker(
    `const { appendFileSync, renameSync, symlinkSync, unlinkSync, writeFileSync } = require('node:fs')
    const { parentPort, workerData: base } = require('node:worker_threads')
    let isStopped = false
    parentPort.on('message', () => { isStopped = true })
    const turn = () => {
      ${code}
      if (isStopped) process.exit()
      else setImmediate(turn)
    }
    turn()
    parentPort.postMessage('running')`,
    { eval: true, workerData: base },
  )
  await new Promise(resolve => worker.once('message', resolve))
  return async () => {
    const ended = new Promise<number>(resolve => worker.once('exit', resolve))
    worker.postMessage('stop')
    return ended
  }
}
