// A worker: asks the web service every two seconds, and says what it heard.
const { URL: url } = process.env
let last

async function work() {
  try {
    const answer = (await (await fetch(url)).text()).trim()
    if (answer !== last) console.log(`heard: ${answer}`)
    last = answer
  } catch (error) {
    console.log(`no answer from ${url}: ${error.cause?.code ?? error.message}`)
    last = undefined
  }
}

await work()
setInterval(work, 2000)
