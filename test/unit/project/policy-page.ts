import type { Bound } from '../../transition/schema-fields.ts'

/** Text of docs/policy.md, generated from the schemas. */
export function renderPolicyPage(
  tables: readonly (readonly [title: string, bounds: ReadonlyMap<string, Bound | undefined>])[],
): string {
  const sections = tables.map(([title, bounds]) => {
    const rows = [...bounds].map(([field, bound = '?']) => [`\`${field}\``, describe(bound)] as const)
    return `## ${title}\n\n${renderTable([['field', 'bounded by'], ...rows])}\n`
  })
  return `${introduction}\n${sections.join('\n')}`
}

/** In columns, as the formatter would have it. */
function renderTable(rows: readonly (readonly [string, string])[]): string {
  const widths = [0, 1].map(column => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [title = '', ...rest] = rows.map(line)
  const rule = `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`
  return [title, rule, ...rest].join('\n')
}

function describe(bound: Bound): string {
  return typeof bound === 'string' ? `nothing: it ${bound}` : bound.map(key => `\`policy.${key}\``).join(', ')
}

const introduction = `# What a repository may do on a host

\`policy\` in the host configuration says what manifests may ask for. \`reeve explain HostConfiguration.policy\` documents each
key. This page says which key bounds which field. It is made from the schemas, each field of which says so itself
(\`x-policy\`), and a test fails if one doesn't.

- **Nothing that the repository can define satisfies a rule.** Services are bounded by name, commands and files by where their
  paths really lead, supervisors by type and directory. A file that the repository may write is no program, no environment file
  and no definition of a supervisor's.
- **Paths are followed as the kernel does**: links first, then \`..\`. They are followed when manifests are read, before a plan, and
  again before each step. A path is refused if others than root and Reeve's user can change where it leads. For
  \`process.command\`, the user that the process runs as may own the way there.
- **What is written beside a file is bounded too.** The output of a service is rotated to \`FILE.1\`, \`FILE.2\` … and through
  \`FILE.rotating\` by the built-in supervisor, and kept in the directory \`FILE.d\` by the loggers of runit, s6 and daemontools. Where
  \`files\` names the file alone, that is refused: name its directory, or these as well. A file of \`spec.files\` is written to
  \`.reeve-NAME-….tmp\` beside it and renamed; that name is Reeve's, has the owner and mode of the file, and matches no include pattern.
- **Once any key is given**, these get narrow by themselves: \`services\` (only definitions that Reeve writes itself),
  \`supervisorDirectories\` (only where a type has its things anyhow), and files that Reeve itself reads.
- **Whatever the policy**, no manifest can touch the service that runs Reeve's controller, and none can name a unit that is no
  service (\`reboot.target\`, mounts, swap, slices) as its service.

What a policy can't do:

- \`commands\` bounds the program, not its arguments. \`/usr/bin\` has \`env\`, \`sh\`, \`python3\` and \`systemctl\`, which run or stop anything
  their user may. Name single programs, and bound \`users\`.
- \`environment\` knows the variables of loaders, shells, interpreters and common tools. A program may have another of its own.
- \`config\` allows native text, which can say anything: a type that is listed there is bounded by nothing else but \`services\`, for the
  units that systemd's keys name.
- Without \`files\`, files can be written anywhere, also where they make a user, a schedule or a service.

A policy that bounds services of one user:

\`\`\`yaml
policy:
  supervisors: [systemd]
  services: []
  users: [web]
  commands: [/opt/web/bin]
  files: [/etc/web, /var/log/web]
  reads: [/etc/web-secrets]
\`\`\`
`
