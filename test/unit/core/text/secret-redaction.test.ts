import { describe, expect, test } from 'vitest'
import { redactLines } from '../../../../src/core/text/secret-redaction.ts'

function redactSecrets(text: string): string {
  return redactLines(text.split('\n')).join('\n')
}

/** Part of every secret in these examples. */
const hidden = 'hunter2'

describe('S4: a text that looks like a secret is redacted', () => {
  const shown: [syntax: string, text: string, expected: string][] = [
    ['yaml', 'password: hunter2', 'password: (redacted)'],
    ['yaml, quoted', "db_password: 'hunter2'  # local", 'db_password: (redacted)'],
    ['yaml, in a list', '  - token: hunter2', '  - token: (redacted)'],
    ['yaml, flow', 'db: {user: app, password: hunter2}', 'db: {user: app, password: (redacted)'],
    [
      'yaml, block',
      'key: 1\nsecret: |\n  hunter2\n\n  hunter2\nport: 1',
      'key: 1\nsecret: |\n  (redacted)\n\n  (redacted)\nport: 1',
    ],
    ['yaml, folded', 'secret: >-\n  hunter2\nport: 1', 'secret: >-\n  (redacted)\nport: 1'],
    [
      'yaml, map',
      'db-credentials:\n  db: hunter2\n  web: hunter2\nport: 1',
      'db-credentials:\n  (redacted)\n  (redacted)\nport: 1',
    ],
    [
      'yaml, a list right below its key',
      'tokens:\n- hunter2\n- hunter2\nport: 1',
      'tokens:\n(redacted)\n(redacted)\nport: 1',
    ],
    [
      'yaml, tagged or commented block',
      'secret: !!binary |\n  hunter2\nport: 1\ntoken: > # c\n  hunter2\nport: 1',
      'secret: (redacted)\n  (redacted)\nport: 1\ntoken: (redacted)\n  (redacted)\nport: 1',
    ],
    [
      'yaml, plain over two lines',
      '- token: one\n    hunter2\n  port: 1\n- port: 2',
      '- token: (redacted)\n    (redacted)\n  port: 1\n- port: 2',
    ],
    [
      'yaml, block with an all but empty line',
      '  secret: |\n    hunter2\n \n    hunter2\n  port: 1',
      '  secret: |\n    (redacted)\n \n    (redacted)\n  port: 1',
    ],
    ['yaml, with CRLF', 'secret: |\r\n  hunter2\r\nport: 1\r\n', 'secret: |\r\n  (redacted)\nport: 1\r\n'],
    ['yaml, arguments', '- --token\n- hunter2\n- --port', '- --token\n(redacted)\n- --port'],
    [
      'only what begins with the name of a place is one',
      'secret: |\n  hunter2, file=x\n  file/hunter2:x',
      'secret: |\n  (redacted)\n  (redacted)',
    ],
    ['json', '  "password": "hunter2",', '  "password": (redacted)'],
    ['json, on one line', '{"user": "a", "password": "hunter2"}', '{"user": "a", "password": (redacted)'],
    ['json, no spaces', '{"apiKey":"hunter2"}', '{"apiKey":(redacted)'],
    [
      'json, list',
      '"tokens": [\n  "hunter2",\n  "hunter2"\n],\n"port": 1',
      '"tokens": [\n  (redacted)\n  (redacted)\n],\n"port": 1',
    ],
    [
      'json, nested',
      '"secrets": {\n  "a": [\n    "hunter2"\n  ],\n  "b": "hunter2"\n},\n"port": 1',
      '"secrets": {\n  (redacted)\n    (redacted)\n  ],\n  (redacted)\n},\n"port": 1',
    ],
    ['json, arguments', '"--token",\n"hunter2",\n"--port"', '"--token",\n(redacted)\n"--port"'],
    ['json, arguments, with CRLF', '"--token",\r\n"hunter2",\r\n"--port"', '"--token",\r\n(redacted)\n"--port"'],
    ['toml', 'secret_key = "hunter2"', 'secret_key = (redacted)'],
    [
      'toml, several lines',
      'secret = """\nhunter2\nhunter2"""\nport = 1',
      'secret = (redacted)\n(redacted)\n(redacted)\nport = 1',
    ],
    ['ini', 'Passwd=hunter2', 'Passwd=(redacted)'],
    [
      'ini, section',
      '[web]\nname = x\n[secrets]\nname = hunter2\n[port]\nname = 1',
      '[web]\nname = x\n[secrets]\nname = (redacted)\n[port]\nname = 1',
    ],
    [
      'ini, section, its comments and its continued lines',
      '[secrets] ; of the app\n; old = hunter2\nname = a\n  hunter2\nhunter2\n\nlist = [web]\nother: hunter2',
      '[secrets] ; of the app\n; old = (redacted)\nname = (redacted)\n  (redacted)\n(redacted)\n\nlist = (redacted)\nother: (redacted)',
    ],
    ['ini, section with CRLF', '[secrets]\r\nname = hunter2\r\n', '[secrets]\r\nname = (redacted)\n'],
    ['ini, what only begins as a section', '[secrets]\n[web] hunter2', '[secrets]\n(redacted)'],
    ['toml, quoted table', '["secrets"]\nname = hunter2', '["secrets"]\nname = (redacted)'],
    ['toml, table of an array', '[[secrets]]\nname = hunter2', '[[secrets]]\nname = (redacted)'],
    [
      'toml, quoted and indented table',
      '  [web."secrets"] # c\n  name = hunter2\n  [web]\n  name = 1',
      '  [web."secrets"] # c\n  name = (redacted)\n  [web]\n  name = 1',
    ],
    ['ini, directive', 'requirepass hunter2', 'requirepass (redacted)'],
    ['directive, with a name of its own', 'SetEnv DB_PASSWORD hunter2', 'SetEnv DB_PASSWORD (redacted)'],
    ['directive, as one of several words', '  stats auth admin:hunter2', '  stats auth (redacted)'],
    ['netrc', 'machine a login b password hunter2', 'machine a login b password (redacted)'],
    ['env file', 'DB_PASSWORD=hunter2', 'DB_PASSWORD=(redacted)'],
    ['env file, prefix and suffix', 'SECRET_KEY_BASE=hunter2', 'SECRET_KEY_BASE=(redacted)'],
    ['env file, several lines', 'TOKEN="hunter2\nhunter2"\nPORT=1', 'TOKEN=(redacted)\n(redacted)\nPORT=1'],
    ['shell', 'export API_TOKEN=hunter2', 'export API_TOKEN=(redacted)'],
    ['shell, continued', 'PASSWORD=hun\\\nter-hunter2\nPORT=1', 'PASSWORD=(redacted)\n(redacted)\nPORT=1'],
    [
      'shell, continued twice',
      'PASSWORD=hun\\\nter\\\nhunter2\nPORT=1',
      'PASSWORD=(redacted)\n(redacted)\n(redacted)\nPORT=1',
    ],
    ['shell, quoted with $', "TOKEN=$'one\nhunter2'\nPORT=1", 'TOKEN=(redacted)\n(redacted)\nPORT=1'],
    ['shell, an apostrophe', "PASSWORD=it's-hunter2\nPORT=1", 'PASSWORD=(redacted)\nPORT=1'],
    ['shell, a value that ends as an option', 'PASSWORD=hunter2-x\nPORT=1', 'PASSWORD=(redacted)\nPORT=1'],
    ['shell, option', 'exec app --db-password hunter2', 'exec app --db-password (redacted)'],
    ['shell, option with =', 'exec app --password=hunter2 --port 1', 'exec app --password=(redacted)'],
    ['unit', 'Environment="PORT=1" "DB_PASSWORD=hunter2"', 'Environment="PORT=1" "DB_PASSWORD=(redacted)'],
    ['properties', 'spring.datasource.password=hunter2', 'spring.datasource.password=(redacted)'],
    ['camel case', 'clientSecret: hunter2', 'clientSecret: (redacted)'],
    ['camel case, run together', 'dbAPIKey: hunter2', 'dbAPIKey: (redacted)'],
    ['camel case, after capitals', 'DBPass: hunter2', 'DBPass: (redacted)'],
    ['ldap', 'rootpw hunter2', 'rootpw (redacted)'],
    ['wpa', 'psk="hunter2"', 'psk=(redacted)'],
    ['python', 'SECRET = b"""\nhunter2\n"""\nPORT = 1', 'SECRET = (redacted)\n(redacted)\n"""\nPORT = 1'],
    ['php', "$config['password'] = 'hunter2';", "$config['password'] = (redacted)"],
    ['ruby', ':password => "hunter2"', ':password => (redacted)'],
    ['xml', '<password>hunter2</password>', '<password>(redacted)'],
    ['xml, several lines', '<password>\n  hunter2\n</password>', '<password>\n  (redacted)\n</password>'],
    [
      'yaml, name and value',
      '- name: DB_PASSWORD\n  value: hunter2\n- name: PORT\n  value: 1',
      '- name: DB_PASSWORD\n  value: (redacted)\n- name: PORT\n  value: 1',
    ],
    [
      'yaml, a block that has a name',
      '- name: DB_PASSWORD\n  value: |\n    hunter2\n- name: PORT',
      '- name: DB_PASSWORD\n  value: |\n    (redacted)\n- name: PORT',
    ],
    [
      'json, name and value, and a secret after it',
      '{"name": "api_token", "value": "hunter2", "token": 1}',
      '{"name": "api_token", "value": (redacted)',
    ],
    [
      'xml, name and value',
      '<property name="password" value="hunter2"/>',
      '<property name="password" value=(redacted)',
    ],
    [
      'xml, elements of name and value',
      '<name>db.password</name>\n<value>hunter2</value>\n<value>1</value>',
      '<name>db.password</name>\n<value>(redacted)\n<value>1</value>',
    ],
    ['xml attribute', '<db user="a" password="hunter2"/>', '<db user="a" password=(redacted)'],
    ['header', 'header = "Authorization: Bearer hunter2"', 'header = "Authorization: (redacted)'],
    ['header, its name elsewhere', 'value: Bearer hunter2hunter2', 'value: Bearer (redacted)'],
    ['header, two spaces', 'value: Basic  hunter2hunter2', 'value: Basic (redacted)'],
    ['url', 'database = postgres://app:hunter2@db:5432/app', 'database = postgres://app:(redacted)@db:5432/app'],
    ['url without a user', 'redis://:hunter2@cache/0', 'redis://:(redacted)@cache/0'],
    ['commented out', '# password = hunter2', '# password = (redacted)'],
    [
      'private key',
      'a\n-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----\nb',
      'a\n(redacted)\n(redacted)\n(redacted)\nb',
    ],
    [
      'private key, on one line',
      'pem = "-----BEGIN PRIVATE KEY-----\\nhunter2\\n-----END PRIVATE KEY-----"\nport = 1',
      '(redacted)\nport = 1',
    ],
  ]
  for (const [syntax, text, expected] of shown) {
    test(syntax, () => {
      expect(redactSecrets(text)).toBe(expected)
      expect(redactSecrets(text)).not.toContain(hidden)
    })
  }

  const kept = [
    'port: 8080',
    'compass: north',
    'author: somebody',
    'passenger_count = 4',
    'key = value',
    'password_file: /etc/web/password',
    'TOKEN_PATH=/run/token',
    'db_password_file: /etc/web/password',
    '"TOKEN": {\n  "fromFile": "/etc/web/token"\n}',
    'TOKEN:\n  fromFile: /etc/web/token',
    'credentials {\n  file = /run/token\n}',
    '[secrets]\nenabled = true\n\n[web]\nport = 1',
    'list = [secrets]\nport = 1',
    '- name: auth\n  image: x',
    'filename: token\nvalue: 1',
    'root /srv/token now',
    'upstream auth {\n  server 10.0.0.1;\n}',
    'location /auth {\n  root /srv;\n}',
    'name: db_password\ndefault-value: 1',
    'PasswordAuthentication no',
    'auth: true',
    'https://example.org:8080/path',
    'mail: a@example.org',
    '',
  ]
  for (const text of kept) {
    test(`shown as is: ${JSON.stringify(text)}`, () => expect(redactSecrets(text)).toBe(text))
  }

  test('redaction keeps the number of lines', () => {
    for (const [, text] of shown) expect(redactSecrets(text).split('\n')).toHaveLength(text.split('\n').length)
  })

  test('S6: redaction of a hostile line takes time linear in its length', () => {
    const size = 200_000
    const lines = [
      'a',
      '-',
      '<a ',
      '--a',
      ' ',
      '=',
      'a:',
      'a://',
      '"',
      'a b ',
      'Bearer ',
      '- ',
      '[',
      '[a ',
      'key=',
      'value ',
    ].map(part => part.repeat(size / part.length))
    const started = performance.now()
    for (const line of lines) redactSecrets(line)
    expect(performance.now() - started, 'milliseconds; quadratic work takes minutes').toBeLessThan(30_000)
  }, 120_000)
})
