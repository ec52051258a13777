import { runitHarness } from '../labs/scan-lab.ts'
import { benchScanDirectory } from './scan-bench.ts'

benchScanDirectory({ harness: runitHarness })
