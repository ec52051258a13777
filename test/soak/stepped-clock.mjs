// For `node --import`: a wall clock that can be stepped, as by NTP or a person. The file in REEVE_SOAK_CLOCK contains the
// offset of this process to the machine in milliseconds. Timers are not affected: the kernel's don't follow the wall clock
// either.
import { readFileSync } from 'node:fs'

const file = process.env.REEVE_SOAK_CLOCK ?? ''
const MachineDate = globalThis.Date
let ahead = readAhead()
setInterval(() => {
  ahead = readAhead()
}, 50).unref()

class SteppedDate extends MachineDate {
  constructor(...parts) {
    if (parts.length === 0) super(SteppedDate.now())
    else super(...parts)
  }

  static now() {
    return MachineDate.now() + ahead
  }
}
globalThis.Date = SteppedDate

function readAhead() {
  return Number(readFileSync(file, 'utf8'))
}
