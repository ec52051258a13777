import { runitHarness } from '../scan-lab.ts'
import { benchScanDirectory } from './scan-bench.ts'

benchScanDirectory({ harness: runitHarness })
