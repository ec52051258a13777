import { createDictionary } from '../../../src/core/dictionary.ts'
import { isObject, type Table } from '../../../src/core/outside-value.ts'

/** `spec.config.<type>`: scripts that are used unchanged. */
export interface NativeText {
  readonly run?: string
  readonly finish?: string
  readonly logRun?: string
  readonly check?: string
  /** Control scripts, by the letter of their command. */
  readonly control?: Readonly<Record<string, string>>
  /** Descriptor on which the service reports readiness. */
  readonly notificationFd?: number
}

/** Its form has been checked by the provider's schema. */
export function readNativeText({ run, finish, logRun, check, control, notificationFd }: Table): NativeText {
  const letters = isObject(control) ? Object.entries(control).flatMap(keepText) : []
  return {
    ...(typeof run === 'string' && { run }),
    ...(typeof finish === 'string' && { finish }),
    ...(typeof logRun === 'string' && { logRun }),
    ...(typeof check === 'string' && { check }),
    ...(typeof notificationFd === 'number' && { notificationFd }),
    ...(letters.length > 0 && { control: createDictionary(letters) }),
  }
}

function keepText([name, text]: [string, unknown]): [string, string][] {
  return typeof text === 'string' ? [[name, text]] : []
}

const script = (description: string): object => ({ type: 'string', minLength: 1, description })

/** Schemas of scripts that all of these supervisors have. */
export const scriptSchemas: Readonly<Record<'run' | 'finish' | 'logRun' | 'check', object>> = {
  run: script(
    'The run script, with its own first line, in place of spec.process.command. It is executed by a script of Reeve that ' +
      'keeps record of what has been started.',
  ),
  finish: script('A script that is run after each end of the service, with the exit code and the signal.'),
  logRun: script('The run script of the service that reads the output, in place of spec.process.output.'),
  check: script('The check script, which says whether the service is available.'),
}
