import { readdirSync } from 'node:fs'
import { expect, onTestFinished } from 'vitest'
import { type CliFixture, type Outcome, openCliFixture, sleeper } from './cli-fixture.ts'
import { createGitLab, type GitLab } from './git-lab.ts'
import { runitHarness } from './scan-lab.ts'

/** A host for `reeve bootstrap`, with its own runit. */
export interface FreshHost {
  readonly home: CliFixture
  /** The repository that it is to follow, still empty. */
  readonly lab: GitLab
  /** Text of its host configuration, with a comment, and without a source. */
  readonly configuration: string
  /** Files of a repository: the supervisor that runs the controller, and a service. */
  readonly files: Readonly<Record<string, string>>
  /** Command line of `reeve bootstrap`, without that of the fixture. */
  words(...args: string[]): string[]
  /** Runs it to its end. */
  bootstrap(...args: string[]): Promise<Outcome>
  /** The same for one that has to leave a host that follows the repository. */
  follow(...args: string[]): Promise<void>
  /** Names of what is written beside the host configuration. */
  written(): string[]
}

const configuration = `apiVersion: reeve/v1
kind: HostConfiguration
stateDirectory: state # of this test
rollout: { minHealthyTime: 1s }
`

/** For one test: when it has ended, everything is taken down. */
export async function openFreshHost(): Promise<FreshHost> {
  const lab = createGitLab()
  onTestFinished(() => lab[Symbol.dispose]())
  const home = openCliFixture()
  home.write('reeve.yaml', configuration)
  const supervisor = await runitHarness.setUp(home.path())
  onTestFinished(() => supervisor.tearDown())
  onTestFinished(async () => void (await home.reeve(['uninstall', '--yes'])))
  const runit = { apiVersion: 'reeve/v1', kind: 'Supervisor', metadata: { name: 'app-runit' } }
  const place = ['--path', 'hosts/shop', '--supervisor', 'app-runit', '--insecure-permissions']
  const words: FreshHost['words'] = (...args) => ['bootstrap', ...args, ...place]
  return {
    home,
    lab,
    configuration,
    files: {
      'hosts/shop/web.yaml': sleeper('web'),
      'hosts/shop/runit.yaml': JSON.stringify({ ...runit, spec: { type: 'runit', runit: supervisor.options } }),
    },
    words,
    bootstrap: (...args) => home.reeve(words(...args)),
    async follow(...args) {
      expect(await home.succeed(words(...args))).toContain('This host follows the repository.')
    },
    written: () =>
      readdirSync(home.directory)
        .filter(name => /^\.|^(?:deploy-key|known-hosts|state)/.test(name))
        .sort(),
  }
}
