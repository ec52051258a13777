import { expect, test } from 'vitest'
import { reportDiagnostics } from '../../../src/cli/diagnostic-report.ts'
import { plainColors, type Screen } from '../../../src/cli/screen.ts'
import type { Diagnostic } from '../../../src/core/model/diagnostic.ts'

async function report(
  diagnostics: readonly Diagnostic[],
): Promise<{ readonly text: string; readonly failed: boolean }> {
  let text = ''
  const screen: Screen = {
    colors: plainColors,
    live: false,
    width: () => undefined,
    height: () => undefined,
    write(more) {
      text += more
    },
    writeExact(more) {
      text += more
    },
    control: sequence => sequence,
  }
  return { failed: await reportDiagnostics(diagnostics, screen), text }
}

function diagnose(file: string, message: string, severity: Diagnostic['severity'] = 'error'): Diagnostic {
  return { file, line: 5, column: 3, severity, code: 'unknown-supervisor', message }
}

test('a diagnostic of many files is shown for a few of them, with the total count', async () => {
  const many = Array.from({ length: 500 }, (_, index) => diagnose(`w${index}.yaml`, 'there is no supervisor "scan"'))
  const { text, failed } = await report([diagnose('sup.yaml', 'unknown field'), ...many])
  expect(failed).toBe(true)
  expect(text).toBe(`sup.yaml:5:3  error  unknown-supervisor  unknown field

w0.yaml:5:3  error  unknown-supervisor  there is no supervisor "scan"

w1.yaml:5:3  error  unknown-supervisor  there is no supervisor "scan"

w2.yaml:5:3  error  unknown-supervisor  there is no supervisor "scan"

497 more of the same (unknown-supervisor), in w3.yaml, w4.yaml, w5.yaml, w6.yaml, w7.yaml and 492 more

501 errors
`)
})

test('a few equal diagnostics and many different ones are shown in full', async () => {
  const few = Array.from({ length: 4 }, (_, index) => diagnose(`w${index}.yaml`, 'the same'))
  const others = Array.from({ length: 10 }, (_, index) => diagnose('all.yaml', `another: ${index}`, 'warning'))
  const { text, failed } = await report([...few, ...others])
  expect(text.match(/w\d\.yaml:5:3/g)).toHaveLength(4)
  expect(text.match(/another: \d/g)).toHaveLength(10)
  expect([failed, text.trimEnd().split('\n').at(-1)]).toEqual([true, '4 errors, 10 warnings'])
})
