import { isVariableName } from '../../src/core/model/environment-file.ts'
import type { Process } from '../../src/core/model/facility.ts'

/**
 * Variables that the shim's shell would read, change or drop on their way to the service, and variables by which the dynamic
 * loader would run a service's code in tools that still run as root. They are passed under aliases, and only the exec
 * wrapper, which has the rights of the service's user, gives them their real names.
 */
const steeringNames = [
  ...[
    'LD_*',
    'GLIBC_TUNABLES',
    'GCONV_PATH',
    'LOCPATH',
    'NLSPATH',
    'MALLOC_*',
    'BASH*',
    'SHELLOPTS',
    'POSIXLY_CORRECT',
  ],
  ...['IFS', 'OPTIND', 'OPTARG', 'OPTERR', 'PPID', 'PWD', 'OLDPWD', 'PS[0-9]', 'LINENO', '_', 'UID', 'EUID', 'SHLVL'],
  ...['RANDOM', 'SRANDOM', 'SECONDS', 'EPOCH*', 'GROUPS', 'DIRSTACK', 'FUNCNAME', 'PIPESTATUS', 'HISTCMD', 'COMP_*'],
  ...['MAPFILE', 'CDPATH', 'FUNCNEST', '__reeve*'],
]

const steering = new RegExp(`^(?:${steeringNames.join('|').replaceAll('*', '.*')})$`)

/** True if the variable can be set in the environment of the shim under its own name. */
export function isPlainVariable(name: string): boolean {
  return isVariableName(name) && !steering.test(name)
}

/** A variable that a service can't have; undefined: there is none. */
export function findVariableProblem({ environment }: Process): { field: string; message: string } | undefined {
  for (const name of Object.keys(environment)) {
    const field = `process.environment.${name}`
    if (name.startsWith('__reeve')) return { field, message: 'names that begin with __reeve are those of its scripts' }
    if (!isVariableName(name)) return { field, message: 'not the name of a variable' }
  }
  return undefined
}
