// A service with all kinds of problems: `node fragile-server.mjs PORT FILE MARK`. It listens at PORT, or exits if another
// has that; and before it ends, it writes FILE back as it was when it began.
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'

const [port, file] = process.argv.slice(2)
const memory = readFileSync(file)
process.once('SIGTERM', () => {
  writeFileSync(file, memory)
  process.exit(0)
})
createServer((_request, response) => response.end('ok')).listen(Number(port), '127.0.0.1')
