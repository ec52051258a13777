import { processIo } from './command-io.ts'
import { main } from './command-line.ts'

main(process.argv.slice(2), processIo()).then(code => {
  process.exitCode = code
})
