import type { Bound } from '../../transition/schema-fields.ts'

/** Text of docs/policy.md, generated from the schemas. */
export function renderPolicyPage(
  tables: readonly (readonly [title: string, bounds: ReadonlyMap<string, Bound | undefined>])[],
): string {
  const sections = tables.map(([title, bounds]) => {
    const rows = [...bounds].map(([field, bound = '?']) => [`\`${field}\``, describe(bound)] as const)
    return `## ${title}\n\n${renderTable([['field', 'restricted by'], ...rows])}\n`
  })
  return `${introduction}\n${sections.join('\n')}`
}

/** Table aligned in columns as the formatter does it. */
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

\`policy\` in the host configuration restricts what manifests may do. \`reeve explain HostConfiguration.policy\` documents each
key. This page lists which key restricts which field. It is generated from the schemas, in which each field has an
\`x-policy\`; a test fails if one hasn't.

- **Nothing that the repository can define satisfies a rule.** Services are restricted by name, commands and files by where their
  paths really lead, supervisors by type and directory. A file that the repository may write counts neither as a program nor as an
  environment file nor as a definition of a supervisor.
- **Paths are resolved as the kernel does**: links first, then \`..\`. They are resolved when manifests are read, before a plan, and
  again before each step. A path is refused if others than root and Reeve's user can change where it leads. For
  \`process.command\`, the user that the process runs as may own the directories on the way.
- **Files written beside a file are restricted too.** The output of a service is rotated to \`FILE.1\`, \`FILE.2\` … and through
  \`FILE.rotating\` by the built-in supervisor, and kept in the directory \`FILE.d\` by the loggers of runit, s6 and daemontools. If
  \`files\` lists the file alone, that is refused: list its directory, or these paths as well. A file of \`spec.files\` is written to
  \`.reeve-NAME-….tmp\` beside it and renamed; that name is reserved for Reeve, the temporary file has the owner and mode of the file,
  and it matches no include pattern.
- **Once any key is given**, these keys have narrow defaults: \`services\` (only definitions that Reeve writes itself),
  \`supervisorDirectories\` (only the default directories of a type), and files that Reeve itself reads.
- **Whatever the policy**, no manifest can touch the service that runs Reeve's controller, and none can name a unit that is no
  service (\`reboot.target\`, mounts, swap, slices) as its service.

Limits of a policy:

- \`commands\` restricts the program, not its arguments. \`/usr/bin\` contains \`env\`, \`sh\`, \`python3\` and \`systemctl\`, which run or stop
  anything their user may. List single programs, and restrict \`users\`.
- \`environment\` covers the variables of loaders, shells, interpreters and common tools. A program may have others of its own.
- \`config\` allows native text, which can set anything: a listed type is restricted only by \`services\`, for the units that systemd's keys
  name.
- Without \`files\`, files can be written anywhere, including those that create a user, a schedule or a service.

A policy that allows services of one user:

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
