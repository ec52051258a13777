import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { isAlive, openCliFixture, reevePath } from '../labs/cli-fixture.ts'

const isRoot = process.geteuid?.() === 0

const page = readFileSync(new URL('../../docs/container.md', import.meta.url), 'utf8')
const entrypoint = /```sh\n(#!\/bin\/sh\n[\s\S]*?)```/.exec(page)?.[1] ?? ''

const facility = (name: string, spec: object): string =>
  JSON.stringify({ apiVersion: 'reeve/v1', kind: 'Facility', metadata: { name }, spec })

/** Reports its start and end, and leaves an orphan that ends at once, for process 1 to reap. */
const service = (name: string): object => ({
  command: [
    '/bin/sh',
    '-c',
    `trap 'echo bye; exit 0' TERM; (sleep 0.1 & ) ; echo up ${name}; while :; do sleep 0.05; done`,
  ],
  output: 'stdout',
})

for (const hasInit of [true, false]) {
  test.runIf(isRoot)(
    `in a pid namespace of its own, ${hasInit ? 'after the entrypoint of docs/container.md' : 'as process 1'}, the controller stops all services in order on TERM`,
    async () => {
      const home = openCliFixture({
        'db.yaml': facility('db', { process: service('db') }),
        'web.yaml': facility('web', { process: service('web'), dependsOn: ['db'] }),
      })
      home.write('entrypoint.sh', entrypoint)
      const reeve = [
        process.execPath,
        reevePath,
        'run',
        'manifests',
        '--stop-services-on-exit',
        '--config',
        'reeve.yaml',
      ]
      const command = hasInit ? ['/bin/sh', home.path('entrypoint.sh'), ...reeve] : reeve
      const container = home.startProgram('unshare', ['--pid', '--fork', '--mount-proc', '--kill-child', ...command])
      await eventually('all is up', () => /all 2 facilities are as declared/.test(container.stderr()))
      expect(container.stdout()).toContain('db | up db\n')
      await eventually('what web says is heard', () => container.stdout().includes('web | up web\n'))
      const first = await eventually('it has a process 1', () => childOf(container.child.pid ?? 0))
      const inside = descendantsOf(first)
      expect(inside.length).toBeGreaterThan(4)
      if (hasInit) {
        await eventually('orphans are reaped', () => !descendantsOf(first).some(isZombie))
        expect(container.stderr()).not.toContain('this is process 1')
      } else expect(container.stderr()).toContain('this is process 1')
      // A controller that is started with its container will be started again.
      expect(container.stderr()).not.toContain('at boot')
      process.kill(first, 'SIGTERM')
      const { exitCode, stdout, stderr } = await container.ended
      expect(exitCode, stderr).toBe(0)
      expect(stdout.indexOf('web | bye')).toBeGreaterThan(0)
      expect(stdout.indexOf('db | bye')).toBeGreaterThan(stdout.indexOf('web | bye'))
      expect(stderr).toContain('2 services are stopped')
      await eventually('nobody is left', () => !inside.some(isAlive))
    },
  )
}

function childOf(pid: number): number | undefined {
  return childrenOf(pid)[0]
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap(child => [child, ...descendantsOf(child)])
}

function isZombie(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .startsWith('Z')
  } catch {
    return false
  }
}
