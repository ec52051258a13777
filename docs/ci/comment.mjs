// Posts the plan in the file $REEVE_PLAN on the pull request, or updates the comment that an earlier run has posted:
// node comment.mjs github|gitlab
import { readFileSync } from 'node:fs'

const { env } = process
const forges = { github, gitlab }
const elsewhere = { github: 'the summary of the job', gitlab: 'the log of the job' }
const marker = /^<!-- reeve plan: .* -->$/

function github() {
  const issues = `${env.GITHUB_API_URL}/repos/${env.GITHUB_REPOSITORY}/issues`
  const author = env.REEVE_AUTHOR || 'github-actions[bot]'
  return {
    headers: { authorization: `Bearer ${env.REEVE_TOKEN}`, accept: 'application/vnd.github+json' },
    list: page => `${issues}/${env.REEVE_PULL_REQUEST}/comments?per_page=100&page=${page}`,
    isOwn: ({ user }) => user?.login === author,
    create: ['POST', `${issues}/${env.REEVE_PULL_REQUEST}/comments`],
    update: id => ['PATCH', `${issues}/comments/${id}`],
  }
}

function gitlab() {
  const project = encodeURIComponent(env.CI_MERGE_REQUEST_PROJECT_ID)
  const notes = `${env.CI_API_V4_URL}/projects/${project}/merge_requests/${env.CI_MERGE_REQUEST_IID}/notes`
  return {
    headers: { 'private-token': env.REEVE_TOKEN },
    list: page => `${notes}?per_page=100&page=${page}`,
    whoami: `${env.CI_API_V4_URL}/user`,
    isOwn: ({ author, system }, me) => !system && author?.id === me.id,
    create: ['POST', notes],
    update: id => ['PUT', `${notes}/${id}`],
  }
}

async function ask(forge, method, url, body) {
  const response = await fetch(url, {
    method,
    // The token is for this server alone.
    redirect: 'error',
    signal: AbortSignal.timeout(30_000),
    headers: { ...forge.headers, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  if (!response.ok)
    throw Object.assign(new Error(`${method} ${url} gave ${response.status}`), { status: response.status })
  return response.json()
}

/** Anybody can write the first line of a plan: a comment of somebody else's is left alone. */
async function findComment(forge, first) {
  const me = forge.whoami && (await ask(forge, 'GET', forge.whoami))
  for (let page = 1; ; page += 1) {
    const comments = await ask(forge, 'GET', forge.list(page))
    const found = comments.find(each => forge.isOwn(each, me) && each.body?.split(/\r?\n/, 1)[0] === first)
    if (found || comments.length < 100) return found
  }
}

async function post(forge, body) {
  const first = body.split('\n', 1)[0]
  if (!marker.test(first)) throw new Error(`expected a plan of reeve plan -o markdown in ${env.REEVE_PLAN}`)
  const found = await findComment(forge, first)
  const [method, url] = found ? forge.update(found.id) : forge.create
  await ask(forge, method, url, { body })
  console.log(found ? 'The comment was updated.' : 'A comment was posted.')
}

function readPlan() {
  try {
    return readFileSync(env.REEVE_PLAN, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return ''
    throw error
  }
}

function tellWhere(problem) {
  console.log(`${problem}, as for a pull request of a fork: nothing is posted. The plan is in ${elsewhere[name]}.`)
}

const name = process.argv[2] ?? ''
const body = readPlan()
if (!Object.hasOwn(forges, name)) throw new Error('expected github or gitlab')
if (body === '') console.log('There is no plan to post.')
else if (!env.REEVE_TOKEN) tellWhere('There is no token')
else {
  try {
    await post(forges[name](), body)
  } catch (error) {
    if (error.status !== 401 && error.status !== 403) throw error
    tellWhere(`The token may not write comments (${error.message})`)
  }
}
