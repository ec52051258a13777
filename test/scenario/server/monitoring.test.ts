import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { createMetrics } from '../../../src/server/metrics.ts'
import { type AlertCase, alertCases } from '../../labs/alert-cases.ts'
import { has } from '../../runner/requirements.ts'
import { makeDirectory } from '../../tools/manifest-directory.ts'

const docs = join(import.meta.dirname, '../../../docs')
const alertsFile = join(docs, 'monitoring/alerts.yaml')

interface Rule {
  readonly alert: string
  readonly expr: string
}

interface Panel {
  readonly title: string
  readonly targets: readonly { readonly expr: string }[]
}

interface Metric {
  readonly type: string
  readonly labels: readonly string[]
}

const { groups }: { groups: readonly { rules: readonly Rule[] }[] } = parse(readFileSync(alertsFile, 'utf8'))
const rules = groups.flatMap(group => group.rules)
const dashboard: { panels: readonly Panel[]; templating: unknown } = JSON.parse(
  readFileSync(join(docs, 'monitoring/dashboard.json'), 'utf8'),
)
const panels = dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })))

/** Metrics with a sample of each label, as a controller exposes them. */
async function expose(): Promise<string> {
  const metrics = await createMetrics()
  const time = '2026-01-02T03:04:05.000Z'
  const at = { supervisor: 'process', service: 'web' }
  const step = { id: 'web/start', verb: 'start', reason: 'stopped', needs: [] } as const
  metrics.listener({ type: 'step-finished', facility: 'web', step, at, result: 'done', duration: 5 })
  metrics.recordPass('done', 250, 1_700_000_000_500)
  metrics.setStatus({
    facilities: [
      {
        ...{ name: 'web', ...at, state: 'running', enabled: true, pid: null, since: null, health: 'none', restarts: 1 },
        conditions: [],
      },
    ],
    unwritable: [{ path: '/full', message: '', since: time }],
  })
  const condition = { reason: 'UpToDate', message: '', since: time }
  metrics.recordFetch({ condition })
  metrics.followSource(() => ({
    url: 'https://example.org/hosts.git',
    wanted: 'branch main',
    revision: { commit: 'a', reference: '', subject: '', author: '', committedAt: time, since: time },
    fetchedAt: time,
    condition,
  }))
  return metrics.text()
}

/** Metrics by name; those of a histogram by its own. */
function readMetrics(text: string): Map<string, Metric> {
  const types = new Map([...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', type = '']) => [name, type]))
  const labels = new Map<string, Set<string>>([...types.keys()].map(name => [name, new Set()]))
  for (const [, sample = '', list = ''] of text.matchAll(/^(\w+)\{(.*)\} \S+$/gm)) {
    const own = labels.get(sample) ?? labels.get(sample.replace(/_bucket$/, ''))
    for (const [, label = ''] of list.matchAll(/(\w+)="/g)) if (label !== 'le') own?.add(label)
  }
  return new Map([...types].map(([name, type]) => [name, { type, labels: [...(labels.get(name) ?? [])].sort() }]))
}

const metrics = readMetrics(await expose())

function unknownMetrics(text: string): string[] {
  const named = text.match(/\breeve_\w+/g) ?? []
  return named.filter(name => !metrics.has(name) && metrics.get(name.replace(/_bucket$/, ''))?.type !== 'histogram')
}

/** Runs promtool, and returns what it says if it finds fault. */
function promtool(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' })
  return status === 0 ? '' : `${stdout}${stderr}`
}

test('the table of metrics lists each that is exposed, with its type and labels, and no other', () => {
  const page = readFileSync(join(docs, 'monitoring.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `(reeve_\w+)` +\| (\w+) +\| ([^|]*)\|/gm)].map(
    ([, name = '', type = '', labels = '']) =>
      [name, { type, labels: (labels.match(/\w+/g) ?? []).sort() }] satisfies [string, Metric],
  )
  const byName = ([left]: [string, Metric], [right]: [string, Metric]): number => (left < right ? -1 : 1)
  expect(rows.sort(byName)).toEqual([...metrics].sort(byName))
})

test('each metric in guides, alerts and the dashboard is exposed', () => {
  expect(panels.length).toBeGreaterThan(20)
  const pages = ['monitoring.md', 'operations.md', 'monitoring/alerts.yaml'].map(name =>
    readFileSync(join(docs, name), 'utf8'),
  )
  const texts = [...pages, ...panels.map(({ expr }) => expr), JSON.stringify(dashboard.templating)]
  expect(texts.flatMap(unknownMetrics)).toEqual([])
  expect(unknownMetrics('sum(reeve_facility_redy)')).toEqual(['reeve_facility_redy'])
})

describe.skipIf(!has('promtool'))('promtool', () => {
  test('accepts what is exposed', async () => {
    const input = await expose()
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { encoding: 'utf8', input })
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  test('accepts each query of the dashboard, and refuses one that is cut off', () => {
    const check = (queries: readonly string[]): string => {
      const rules = queries.map((query, index) => ({
        record: `query_${index}`,
        // Variables of Grafana.
        expr: query.replaceAll('$__rate_interval', '5m').replaceAll('$instance', 'web-1'),
      }))
      const directory = makeDirectory({ 'rules.yaml': JSON.stringify({ groups: [{ name: 'queries', rules }] }) })
      return promtool('check', 'rules', join(directory, 'rules.yaml'))
    }
    const queries = panels.map(({ expr }) => expr)
    expect(check(queries)).toBe('')
    expect(check(queries.map(query => query.slice(0, -1)))).toContain('could not parse expression')
    expect(queries.filter(query => /\$(?!instance\b|__rate_interval\b)/.test(query))).toEqual([])
  })

  test('every alert has a case in which it fires', () => {
    expect(Object.keys(alertCases).sort()).toEqual(rules.map(({ alert }) => alert).sort())
    expect(promtool('check', 'rules', alertsFile)).toBe('')
  })

  test.each(Object.entries(alertCases))('%s fires, and does not otherwise', (alert, given) => {
    const { fires, quiet, at, notBefore, expected } = given
    expect(testAlert(alert, given, fires, at, [expected])).toBe('')
    expect(testAlert(alert, given, quiet, at, [])).toBe('')
    if (notBefore !== undefined) expect(testAlert(alert, given, fires, notBefore, [])).toBe('')
  })
})

/** Has promtool compare the alerts that fire at that time with the expected ones. */
function testAlert(
  alertname: string,
  { every = '1m' }: AlertCase,
  series: AlertCase['fires'],
  at: string,
  expected: readonly AlertCase['expected'][],
): string {
  const input_series = Object.entries(series).map(([name, values]) => ({ series: name, values }))
  const exp_alerts = expected.map(({ labels, summary }) => ({ exp_labels: labels, exp_annotations: { summary } }))
  const alert_rule_test = [{ eval_time: at, alertname, exp_alerts }]
  const tests = [{ interval: every, input_series, alert_rule_test }]
  const content = { rule_files: [alertsFile], evaluation_interval: every, tests }
  return promtool('test', 'rules', join(makeDirectory({ 'test.yaml': JSON.stringify(content) }), 'test.yaml'))
}
