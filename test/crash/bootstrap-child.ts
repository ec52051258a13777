import { writeSync } from 'node:fs'
import { processIo } from '../../src/cli/command-io.ts'
import { main } from '../../src/cli/command-line.ts'
import { createWriteHost } from '../../src/host/write-host.ts'
import { dieAt } from './dying.ts'

/**
 * One command line of Reeve, which kills itself at one of its effects: `REEVE MOMENT WORD…`; see `dieAt`. REEVE is the program that the
 * controller runs. Prints the number of moments at the end.
 */
const [program = '', moment = '', ...words] = process.argv.slice(2)
const { onEffect, count } = dieAt(Number(moment), 'distinct')
process.exitCode = await main(words, {
  ...processIo(),
  program: [process.execPath, program],
  hosts: { createWriteHost: options => createWriteHost({ ...options, onEffect }) },
})
writeSync(1, `${count()}\n`)
