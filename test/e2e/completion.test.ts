import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../src/conformance/eventually.ts'
import { type CliFixture, openCliFixture, reevePath, sleeper } from '../labs/cli-fixture.ts'
import { has } from '../runner/requirements.ts'

// What a person gets at the Tab key in real, interactive shells: the line as it stands then, and what is shown below it.

const tab = '\t'
/** readline's insert-completions: all completions, one after the other. */
const all = '\x1b*'

type Row = readonly [what: string, typed: string, expected: string]

/** What every shell does alike. */
const rows: readonly Row[] = [
  ['a command', `reeve va${tab}`, 'reeve validate '],
  ['a flag', `reeve plan --det${tab}`, 'reeve plan --detailed-exitcode '],
  ['a name', `reeve restart wo${tab}`, 'reeve restart worker '],
  ['a second name', `reeve restart web wo${tab}`, 'reeve restart web worker '],
  ['a directory', `reeve apply man${tab}`, 'reeve apply manifests/'],
  ['a file', `reeve apply --plan ree${tab}`, 'reeve apply --plan reeve.yaml '],
  ['a name with a colon', `reeve stop app${tab}`, 'reeve stop app:x@1 '],
  ['what follows the colon', `reeve stop app:${tab}`, 'reeve stop app:x@1 '],
  ['what follows the @', `reeve stop app:x@${tab}`, 'reeve stop app:x@1 '],
  ['what names have in common', `reeve stop getty@${tab}`, 'reeve stop getty@tty'],
  ['a file that is joined to a flag', `reeve plan --config=ree${tab}`, 'reeve plan --config=reeve.yaml '],
  ['a directory that is joined to a flag', `reeve plan --manifests=man${tab}`, 'reeve plan --manifests=manifests/'],
  ['the value that is joined to a flag', `reeve plan --log-level=de${tab}`, 'reeve plan --log-level=debug '],
  ['a name after a joined flag', `reeve stop --manifests=other o${tab}`, 'reeve stop --manifests=other other:x '],
  [
    'a name after a directory in quotes',
    `reeve stop --manifests "a b" s${tab}`,
    'reeve stop --manifests "a b" spaced ',
  ],
  [
    'a name after a directory with a backslash',
    `reeve stop --manifests a\\ b s${tab}`,
    'reeve stop --manifests a\\ b spaced ',
  ],
  ['a name in open quotes', `reeve stop "app:x${tab}`, 'reeve stop "app:x@1" '],
  ['a supervisor', `reeve install --supervisor runit:${tab}`, 'reeve install --supervisor runit:mine '],
  ['a field', `reeve explain spec.process.comm${tab}`, 'reeve explain spec.process.command '],
  ['with blanks between the words', `reeve  stop   app:${tab}`, 'reeve  stop   app:x@1 '],
  ['nothing where there is no manifest', `reeve stop --manifests=empty ${tab}`, 'reeve stop --manifests=empty '],
  ['nothing where there is no directory', `reeve stop --manifests=gone w${tab}`, 'reeve stop --manifests=gone w'],
  ['no hostile name', `reeve stop --manifests=hostile ${tab}`, 'reeve stop --manifests=hostile ok '],
]

interface Shell {
  readonly name: string
  /** How it is started in the fixture's directory, and the file that it reads then. */
  readonly command: string
  readonly rcFile: string
  readonly rc: string
  readonly rows: readonly Row[]
}

/** Of the program `fake`, which answers with the file `answer`, whatever it is asked. */
const faked = "sed 's/reeve$/fake/; s/^complete -c reeve/complete -c fake/'"

const shells: readonly Shell[] = [
  {
    name: 'bash',
    command: 'bash --noprofile --rcfile .bashrc -i',
    rcFile: '.bashrc',
    rc: `source <(reeve completion bash); source <(reeve completion bash | ${faked})
bind 'set enable-bracketed-paste off'; PS1='ready> '`,
    rows: [
      ['names', `reeve restart w${all}`, 'reeve restart web worker '],
      ['values that are joined to a flag', `reeve plan --output=${all}`, 'reeve plan --output=json markdown text '],
      ['what has to be quoted', `fake stop ${all}`, 'fake stop \\$\\(touch\\ pwned\\)x other '],
    ],
  },
  {
    name: 'zsh',
    command: 'zsh -d -i',
    rcFile: '.zshrc',
    rc: `source <(reeve completion zsh); source <(reeve completion zsh | ${faked})
unset zle_bracketed_paste; PS1='ready> '`,
    rows: [['what has to be quoted', `fake stop \\$${tab}`, 'fake stop \\$\\(touch\\ pwned\\)x ']],
  },
  {
    name: 'fish',
    command: 'fish --no-config -i -C "source .fishrc"',
    rcFile: '.fishrc',
    rc: `reeve completion fish | source; reeve completion fish | ${faked} | source
function fish_prompt; echo -n 'ready> '; end; set -g fish_autosuggestion_enabled 0`,
    rows: [['what has to be quoted', `fake stop \\$${tab}`, 'fake stop \\$\\(touch\\ pwned\\)x ']],
  },
]

describe.each(shells)('in $name', shell => {
  /** zsh takes back what it has put after a word when the cursor moves away. */
  const fitting = (line: string): string => (shell.name === 'zsh' ? line.replace(/[ /]$/, '') : line)

  test.skipIf(!has(shell.name))('Tab completes the word', { timeout: 120_000 }, async () => {
    const home = openHome()
    const session = await openShell(shell, home)
    const found: Row[] = []
    const expected = [...rows, ...shell.rows].map(([what, typed, line]): Row => [what, typed, fitting(line)])
    for (const [what, typed] of expected) found.push([what, typed, fitting((await session.type(typed)).line)])
    expect(found).toEqual(expected)
    expect(existsSync(home.path('pwned')), 'nothing was evaluated').toBe(false)
  })
})

describe.each(shells.filter(({ name }) => name !== 'bash'))('in $name', shell => {
  test.skipIf(!has(shell.name))('Tab shows descriptions beside candidates', async () => {
    const session = await openShell(shell, openHome())
    const shownAt = async (typed: string): Promise<string> => (await session.type(typed)).shown.replace(/ +/g, ' ')
    expect(await shownAt(`reeve st${tab}`)).toMatch(/status\b.*show the state, health and conditions/)
    expect(await shownAt(`reeve restart w${tab}`)).toMatch(/worker\b.*process/)
    // It may say anything.
    expect(await shownAt(`fake stop ${tab}`)).toContain('hostile $(touch pwned) `touch pwned` %F{red}')
  })
})

function openHome(): CliFixture {
  const home = openCliFixture({
    'web.yaml': sleeper('web'),
    'worker.yaml': sleeper('worker'),
    'db.yaml': sleeper('db'),
    'app.yaml': sleeper('app:x@1'),
    'getty.yaml': `${sleeper('getty@tty1')}---\n${sleeper('getty@tty2')}`,
    'runit.yaml': `apiVersion: reeve/v1
kind: Supervisor
metadata: { name: "runit:mine" }
spec: { type: runit, runit: { serviceDirectory: /srv/service, definitionDirectory: /srv/sv } }
`,
  })
  for (const name of ['other', 'a b', 'empty', 'hostile']) mkdirSync(home.path(name))
  home.write('other/other.yaml', sleeper('other:x'))
  home.write('a b/spaced.yaml', sleeper('spaced'))
  home.write('hostile/hostile.yaml', sleeper("'$(touch pwned)'"))
  home.write('hostile/tick.yaml', sleeper("'`touch pwned`'"))
  home.write('hostile/ok.yaml', sleeper('ok'))
  return home
}

interface Typed {
  /** The line that the shell has come to by these keys. */
  readonly line: string
  /** All that it has shown since they were typed. */
  readonly shown: string
}

async function openShell(shell: Shell, home: CliFixture): Promise<{ type(keys: string): Promise<Typed> }> {
  mkdirSync(home.path('bin'))
  writeFileSync(home.path('bin/reeve'), `#!/bin/sh\nexec '${process.execPath}' '${reevePath}' "$@"\n`, { mode: 0o755 })
  writeFileSync(home.path('bin/fake'), '#!/bin/sh\ncat answer\n', { mode: 0o755 })
  // As if a facility could be called so.
  home.write('answer', '$(touch pwned)x\thostile $(touch pwned) `touch pwned` %F{red}\nother\tmore\n')
  home.write(shell.rcFile, shell.rc)
  const child = spawn('script', ['-qfec', `stty cols 220 rows 24; exec ${shell.command}`, '/dev/null'], {
    cwd: home.directory,
    // The configuration is at a user's default path.
    env: { PATH: `${home.path('bin')}:${process.env.PATH}`, HOME: home.directory, TERM: 'xterm', LANG: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  await eventually(`${shell.name} is ready`, () => shown.includes('ready> '))
  return {
    async type(keys) {
      const before = shown.length
      const since = (): string => stripVTControlCharacters(shown.slice(before))
      // To the start of the line and to its end: it becomes an argument.
      child.stdin.write(`${keys}\x01printf '<%s>\\n' '\x05'\r`)
      const found = await eventually(`${shell.name} has printed the line`, () =>
        /^\r*<(.*)>\r*\n[\s\S]*ready> /m.exec(since()),
      )
      return { line: found[1] ?? '', shown: since() }
    },
  }
}
