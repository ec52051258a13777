import { s6Harness } from '../scan-lab.ts'
import { benchScanDirectory } from './scan-bench.ts'

benchScanDirectory({ harness: s6Harness, announcement: 's6-svscanctl -a service' })
