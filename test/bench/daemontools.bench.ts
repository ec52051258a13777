import { daemontoolsHarness } from '../labs/scan-lab.ts'
import { benchScanDirectory } from './scan-bench.ts'

benchScanDirectory({ harness: daemontoolsHarness })
