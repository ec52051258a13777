// A page for the time when the web service is down.
import { createServer } from 'node:http'

const { PORT } = process.env
createServer((_request, response) => {
  response.writeHead(503, { 'retry-after': '60' }).end('Back soon.\n')
}).listen(Number(PORT), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${PORT}/`))
