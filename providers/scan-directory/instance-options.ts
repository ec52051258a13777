import type { Family } from './family.ts'

/** JSON Schema of `spec.<type>` of a Supervisor. */
export function createOptionsSchema({ type, scanner, serviceDirectory, definitionDirectory }: Family): object {
  return {
    type: 'object',
    'x-policy': ['supervisorDirectories'],
    description: `Options of an instance of ${type}: a ${scanner} that somebody else runs. Default: the distribution's own.`,
    additionalProperties: false,
    required: ['serviceDirectory', 'definitionDirectory'],
    properties: {
      serviceDirectory: {
        title: 'an absolute path',
        type: 'string',
        pattern: '^/',
        description: `The directory that ${scanner} scans, where Reeve makes links. Absolute. Default: ${serviceDirectory}.`,
      },
      definitionDirectory: {
        title: 'an absolute path',
        type: 'string',
        pattern: '^/',
        description:
          'Where Reeve keeps a directory for each service, with its run script; not the scanned one. Absolute. ' +
          `Default: ${definitionDirectory}.`,
      },
      owner: {
        title: 'the name of a user',
        type: 'string',
        minLength: 1,
        'x-policy': 'has to be the user that Reeve runs as, or the supervisor is not used',
        description:
          `Whose ${scanner} it is. It has to be the user that Reeve runs as, since each of the two runs what the other has ` +
          'written: no other Reeve touches it. Default: the user that Reeve runs as.',
      },
    },
  }
}
