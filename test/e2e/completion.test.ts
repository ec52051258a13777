import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type CliFixture, openCliFixture, reevePath, sleeper } from '../labs/cli-fixture.ts'

// Result of the Tab key in a real, interactive bash: the line as it stands then.

const tab = '\t'
/** readline's insert-completions: all completions, one after the other. */
const all = '\x1b*'

describe('bash completion', () => {
  test.each([
    ['a command name', `reeve va${tab}`, 'reeve validate '],
    ['a flag name', `reeve plan --det${tab}`, 'reeve plan --detailed-exitcode '],
    ['names', `reeve restart w${all}`, 'reeve restart web worker '],
    ['a directory name', `reeve apply man${tab}`, 'reeve apply manifests/'],
    ['a file name', `reeve apply --plan ree${tab}`, 'reeve apply --plan reeve.yaml '],
    ['a name with a colon', `reeve stop app${tab}`, 'reeve stop app:x@1 '],
    ['the part after the colon', `reeve stop app:${tab}`, 'reeve stop app:x@1 '],
    ['the part after the @', `reeve stop app:x@${tab}`, 'reeve stop app:x@1 '],
    ['the common prefix of names', `reeve stop getty@${tab}`, 'reeve stop getty@tty'],
    ['a value joined to a flag', `reeve plan --log-level=de${tab}`, 'reeve plan --log-level=debug '],
    ['all matches', `reeve plan --output=${all}`, 'reeve plan --output=json text '],
    ['a file joined to a flag', `reeve plan --config=ree${tab}`, 'reeve plan --config=reeve.yaml '],
    ['a name after a joined flag', `reeve stop --manifests=other o${tab}`, 'reeve stop --manifests=other other:x '],
    ['a supervisor name', `reeve install --supervisor runit:${tab}`, 'reeve install --supervisor runit:mine '],
    [
      'no supervisor that cannot run the controller',
      `reeve install --supervisor=pro${tab}`,
      'reeve install --supervisor=pro',
    ],
    ['words separated by several blanks', `reeve  stop   app:${tab}`, 'reeve  stop   app:x@1 '],
  ])('completes %s', async (_, typed, expected) => {
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
    mkdirSync(home.path('other'))
    home.write('other/other.yaml', sleeper('other:x'))
    expect(await typeInBash(home, typed)).toBe(expected)
  })
})

/** Line that bash shows after these keys. */
async function typeInBash(home: CliFixture, keys: string): Promise<string> {
  // The configuration is at a user's default path.
  home.write(
    'start.sh',
    `
    reeve() { '${process.execPath}' '${reevePath}' "$@"; }
    source <(reeve completion bash)
    bind 'set enable-bracketed-paste off'
    PS1=
`,
  )
  const bash = spawn(
    'script',
    ['-qfec', 'stty cols 200 rows 24; exec bash --noprofile --rcfile start.sh -i', '/dev/null'],
    {
      cwd: home.directory,
      env: { PATH: process.env.PATH ?? '', HOME: home.directory, TERM: 'dumb', LANG: 'C.UTF-8' },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  onTestFinished(() => {
    bash.kill('SIGKILL')
  })
  let shown = ''
  bash.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  const ended = new Promise(resolve => bash.on('close', resolve))
  // To the start of the line and to its end: it becomes an argument of echo.
  bash.stdin.write(`${keys}\x01echo '<\x05>'\rexit\r`)
  await ended
  const [, line] = /^<(.*)>\r?$/m.exec(shown) ?? []
  return line ?? `no line in what was shown: ${shown}`
}
