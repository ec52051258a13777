import { s6Harness } from '../labs/scan-lab.ts'
import { benchScanDirectory } from './scan-bench.ts'

benchScanDirectory({ harness: s6Harness, announcement: 's6-svscanctl -a service' })
