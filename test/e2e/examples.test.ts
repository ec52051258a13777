import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { type CliFixture, openCliFixture } from '../labs/cli-fixture.ts'

// Promises of manifests/README.md, on a copy with ports and paths of its own.

test('the examples run, all up to date, and everything the page suggests works', async () => {
  const home = openCliFixture()
  const port = await installExamples(home)
  const ask = async () => (await fetch(`http://127.0.0.1:${port}/`)).text()

  expect(await home.succeed(['validate'])).toContain('3 facilities')
  expect(await home.succeed(['apply'])).toContain('3 added')
  expect(await ask()).toContain('Hello')
  const web = await home.status('web')
  expect(web).toMatchObject({ state: 'running', health: 'healthy' })
  expect(await home.status('worker')).toMatchObject({ state: 'running' })
  expect(await home.status('maintenance')).toMatchObject({ state: 'stopped', enabled: false })

  // A changed configuration file: a reload, and the same process.
  edit(home, 'web.yaml', 'Hello from', 'Greetings from')
  expect(await home.succeed(['plan'])).toMatch(/^~ web(.|\n)*\+\{ "greeting": "Greetings(.|\n)*reload /)
  await home.succeed(['apply'])
  await eventually('the new words are served', async () => (await ask()).includes('Greetings'))
  expect((await home.status('web'))?.pid).toBe(web?.pid)

  // A changed definition: one restart.
  const worker = (await home.status('worker'))?.pid
  edit(home, 'worker.yaml', 'timeout: 5s', 'timeout: 6s')
  expect((await home.reeve(['apply'])).stderr).toContain('worker: restarted')
  expect((await home.status('worker'))?.pid).not.toBe(worker)

  // A facility that is declared stopped can be started.
  edit(home, 'maintenance.yaml', 'state: stopped', 'state: running')
  await home.succeed(['apply'])
  expect(await home.status('maintenance')).toMatchObject({ state: 'running' })

  // A mistake stops nothing.
  edit(home, 'web.yaml', 'health:', 'helth:')
  expect(await home.reeve(['apply'])).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('web.yaml') })
  expect(await ask()).toContain('Greetings')
  edit(home, 'web.yaml', 'helth:', 'health:')
  await home.succeed(['apply'])
})

test('every example names its schema for editors, by an existing path', () => {
  for (const name of ['web', 'worker', 'maintenance']) {
    const file = new URL(`../../manifests/${name}.yaml`, import.meta.url)
    const schema = /^# yaml-language-server: \$schema=(.*)\n/.exec(readFileSync(file, 'utf8'))?.[1] ?? ''
    expect(JSON.parse(readFileSync(new URL(schema, file), 'utf8'))).toHaveProperty('title', 'FacilityManifest')
  }
})

/** Copies the examples, with free ports and a configuration file in the fixture; returns the port of `web`. */
async function installExamples(home: CliFixture): Promise<number> {
  const examples = fileURLToPath(new URL('../../manifests', import.meta.url))
  mkdirSync(home.path('manifests/example'), { mode: 0o755 })
  for (const name of readdirSync(examples, { recursive: true, encoding: 'utf8' })) {
    if (/\.(yaml|mjs)$/.test(name)) home.write(join('manifests', name), readFileSync(join(examples, name), 'utf8'))
  }
  const [port, other] = [await findFreePort(), await findFreePort()]
  for (const name of ['web.yaml', 'worker.yaml', 'maintenance.yaml']) {
    // All at once: a port may have the digits of another.
    const replacements: Record<string, string> = {
      '8321': `${port}`,
      '8322': `${other}`,
      '/tmp/': `${home.directory}/`,
    }
    edit(home, name, /8321|8322|\/tmp\//g, found => replacements[found] ?? found)
  }
  return port
}

function edit(home: CliFixture, name: string, from: string | RegExp, to: string | ((found: string) => string)): void {
  const path = home.path('manifests', name)
  const text = readFileSync(path, 'utf8')
  writeFileSync(
    path,
    text.replaceAll(from, found => (typeof to === 'string' ? to : to(found))),
  )
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
