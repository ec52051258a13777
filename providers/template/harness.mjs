// @ts-check
import { mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServices } from 'reeve/conformance'
import createProvider from './provider.mjs'

const provider = createProvider()

/**
 * How the tests have a supervisor of their own, and do behind its back what people and machines do.
 *
 * @type {import('reeve/conformance').ConformanceHarness}
 */
export const harness = {
  provider,
  async setUp(root) {
    const directory = join(root, 'run')
    const away = `${directory}.away`
    mkdirSync(directory)
    return {
      options: { directory },
      // Observing must write nothing in here.
      watched: [root],
      // A definition (the first of `files`) as edited by a person: a different text that is still valid, with its marker.
      meddle: definition => definition.replace('1000000', '1000099'),
      async boot() {
        await powerOff(directory)
        // As Reeve's controller would. A supervisor that starts services itself is only started here.
        const enabled = readdirSync(directory).filter(name => name.endsWith('.enabled'))
        const services = enabled.map(name => name.slice(0, -'.enabled'.length))
        await startServices(provider, { directory }, services)
      },
      makeUnavailable: async () => renameSync(directory, away),
      makeAvailable: async () => renameSync(away, directory),
      // Leave it out if no supervising process of a service can be killed alone.
      abandon: async service => kill(readRun(join(directory, `${service}.run`)).keeper),
      tearDown: () => powerOff(directory),
    }
  },
}

/** @param {string} directory */
async function powerOff(directory) {
  const files = readdirSync(directory).filter(name => name.endsWith('.run'))
  const runs = files.map(name => readRun(join(directory, name)))
  for (const { group } of runs) kill(-group)
  while (runs.some(({ keeper, pid }) => isAlive(keeper) || isAlive(pid))) await sleep(10)
}

/** @param {string} path @returns {{ keeper: number, group: number, pid: number }} */
function readRun(path) {
  return JSON.parse(readFileSync(path, 'utf8'))
}

/** @param {number} pid */
function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/** A zombie counts as dead. @param {number} pid */
function isAlive(pid) {
  try {
    return pid > 0 && !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
