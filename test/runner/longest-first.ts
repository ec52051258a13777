import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { setUpBeside } from '../systemd-lab/setup.ts'

/** The slowest files, slowest first: nobody should wait at the end for one that has only just begun. */
const longest = [
  'e2e/guides.test.ts',
  'service/background.test.ts',
  'scenario/soak.test.ts',
  'conformance/runit.test.ts',
  'conformance/s6.test.ts',
  'conformance/daemontools.test.ts',
  'e2e/commands.test.ts',
  'service/environment-files.test.ts',
  'crash/daemontools.test.ts',
  'conformance/process.test.ts',
  'scan-directory/scripts.test.ts',
  'posix/exec-wrapper.test.ts',
  'scenario/commit-story.test.ts',
  'scenario/start-check.test.ts',
  'scan-directory/trouble.test.ts',
  'crash/runit.test.ts',
  'crash/process.test.ts',
  'scan-directory/capacity.test.ts',
  'systemd/story.test.ts',
  'systemd/conformance-system.test.ts',
  'systemd/crash-changes.test.ts',
  'systemd/leftovers.test.ts',
  'systemd/races.test.ts',
  'systemd/units.test.ts',
  'systemd/start-check.test.ts',
  'systemd/conformance-user.test.ts',
  'systemd/crash-moves.test.ts',
  'systemd/many.test.ts',
]

/** A fresh checkout has no record of how long files take, and would order them by size. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    await setUpBeside(files)
    const rest = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = longest.findIndex(name => moduleId.endsWith(`/${name}`))
      return index < 0 ? longest.length : index
    }
    return rest.sort((a, b) => rank(a) - rank(b))
  }
}
