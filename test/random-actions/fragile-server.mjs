// A service that has everything befall it that can: `node fragile-server.mjs PORT FILE MARK`. It listens at PORT, or ends if
// another has that; and it writes FILE back, as it was when it began, before it ends.
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'

const [port, file] = process.argv.slice(2)
const memory = readFileSync(file)
process.once('SIGTERM', () => {
  writeFileSync(file, memory)
  process.exit(0)
})
createServer((_request, response) => response.end('ok')).listen(Number(port), '127.0.0.1')
