import { basename } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { setUpBeside } from '../systemd-lab/setup.ts'

/** Those that take longest, longest first: nobody is to wait at the end for one that has only just begun. */
const longest = [
  'crash-changes.test.ts',
  'crash-daemontools.test.ts',
  'soak.test.ts',
  'crash-process.test.ts',
  'story.test.ts',
  'daemontools.test.ts',
  'crash-moves.test.ts',
  'process-crash.test.ts',
  'units.test.ts',
  'leftovers.test.ts',
  'crash-runit.test.ts',
  'engine-misled.test.ts',
  'conformance-system.test.ts',
  'crash-s6.test.ts',
  'scan-directory.test.ts',
  'conformance-user.test.ts',
  'scan-directory-trouble.test.ts',
  'commands.test.ts',
  'watch.test.ts',
]

/** A fresh checkout has no record of how long files take, and would go by their size. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    await setUpBeside(files)
    const rest = await super.sort(files)
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = longest.indexOf(basename(moduleId))
      return index < 0 ? longest.length : index
    }
    return rest.sort((a, b) => rank(a) - rank(b))
  }
}
