// A web service: greets with the words of its configuration file, which it reads again on SIGHUP.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const { PORT, CONFIG } = process.env
let configuration = readConfiguration()
process.on('SIGHUP', () => {
  configuration = readConfiguration()
})

const server = createServer((request, response) => {
  response.end(request.url === '/healthz' ? 'ok\n' : `${configuration.greeting}\n`)
})
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${PORT}/`))

process.on('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
})

function readConfiguration() {
  const read = JSON.parse(readFileSync(CONFIG, 'utf8'))
  console.log(`read ${CONFIG}`)
  return read
}
