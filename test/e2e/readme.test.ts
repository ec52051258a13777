import { test } from 'vitest'

// The commands of README.md's shell blocks, in order, in a household of their own (see household.ts).

test.todo('every command in README.md does what the page shows')
