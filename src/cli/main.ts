#!/usr/bin/env node
import { processIo } from './command-io.ts'
import { main } from './command-line.ts'

process.exitCode = await main(process.argv.slice(2), processIo())
