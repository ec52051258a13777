import { join } from 'node:path'
import { createWriteHost } from '../../../src/host/write-host.ts'

/**
 * Makes a directory and writes two files, the same on every run; kills itself at the given moment, counted from 1 over the
 * moments before and after each effect. Exits with 0 if it completed.
 */
const [directory = '', content = '', moment = '0'] = process.argv.slice(2)
let count = 0
const host = createWriteHost({
  onEffect() {
    count += 1
    if (count === Number(moment)) process.kill(process.pid, 'SIGKILL')
  },
})
host.makeDirectory(join(directory, 'made', 'here'), { mode: 0o750 })
host.writeFile(join(directory, 'file'), content, { mode: 0o640 })
host.removeFile(join(directory, 'dropped'))
host.writeFile(join(directory, 'made', 'here', 'file'), content, { mode: 0o604 })
process.stdout.write(String(count))
