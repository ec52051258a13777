#!/usr/bin/env node
// Runs the bundled program in its compiled form: to compile it takes longer than most commands do. That form is of one
// version of Node. Another one compiles, and leaves its own form behind where it may, as Python does with its .pyc.
const { closeSync, fstatSync, openSync, readFileSync, renameSync, statSync, writeFileSync } = require('node:fs')
const { Module } = require('node:module')
const { join } = require('node:path')
const { Script } = require('node:vm')

/** The bundler puts its name in. */
const filename = join(__dirname, 'program.cjs')
const cache = filename.replace(/cjs$/, 'cache')

const slowModules = new Set(['node:child_process', 'node:crypto', 'node:fs/promises', 'node:net', 'node:readline'])

const cachedData = readIfTrusted(cache)
const program = new Module(filename, module)
program.filename = filename
// What it loads later loads it in turn.
require.cache[filename] = program
const given = {
  exports: program.exports,
  require: requireAsUsed,
  module: program,
  __filename: filename,
  __dirname,
  importModule,
}
const code = `(function (${Object.keys(given)}) {${readFileSync(filename, 'latin1')}\n})`
const script = new Script(code, { filename, cachedData })
if (cachedData === undefined || script.cachedDataRejected) process.once('exit', keepCompiled)
script.runInThisContext()(...Object.values(given))
// Else Node takes what loads it later for a circular dependency, and warns.
program.loaded = true

/** Most commands use few of the modules of Node that all of them together need, and some take milliseconds to load. */
function requireAsUsed(name) {
  if (!slowModules.has(name)) return require(name)
  let used
  const get = (_, key) => {
    used ??= require(name)
    return used[key]
  }
  return new Proxy({}, { get })
}

function importModule(specifier) {
  return import(specifier)
}

/** It is run as it is, so nobody but root, this user and whoever installed the program may have written it. */
function readIfTrusted(file) {
  let fd
  try {
    fd = openSync(file, 'r')
    const { uid, mode } = fstatSync(fd)
    const isOurs = uid === 0 || uid === process.geteuid() || uid === statSync(filename).uid
    return isOurs && (mode & 0o022) === 0 ? readFileSync(fd) : undefined
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** At the end, when all that was needed is compiled. */
function keepCompiled() {
  const temporary = `${cache}.${process.pid}`
  try {
    // Whatever the umask: for others to read, and not to write. What is there already may be somebody's link.
    writeFileSync(temporary, script.createCachedData(), { mode: 0o644, flag: 'wx' })
    renameSync(temporary, cache)
  } catch {
    // Installed by somebody else: this one has no say there, and goes on compiling.
  }
}
