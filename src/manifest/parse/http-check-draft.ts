import type { FacilityForm } from '#schemas/compiled/facility.shape.js'
import type { HttpCheck, StatusRange } from '../../core/model/facility.ts'
import type { FieldProblem } from '../diagnostics/problem.ts'

type HttpForm = Extract<NonNullable<FacilityForm['spec']['health']>, { readonly http: unknown }>['http']
type StatusForm = Extract<HttpForm['status'], readonly unknown[]>[number]

/** Headers that control how the request is sent, which Reeve sets itself. */
const ownHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export function draftHttpCheck(http: HttpForm, problems: FieldProblem[]): HttpCheck {
  const { url, status, headers, ca, insecureSkipVerify } = http
  if (!URL.canParse(url)) complain(['url'], `is not a URL: ${url}`, problems)
  checkTrust(http, problems)
  checkHeaders(headers, problems)
  return {
    type: 'http',
    url,
    ...(status !== undefined && { statuses: draftStatuses(status, problems) }),
    ...(Object.keys(headers).length > 0 && { headers }),
    ...(ca !== undefined && { ca }),
    ...(insecureSkipVerify && { insecureSkipVerify }),
  }
}

function checkTrust({ url, ca, insecureSkipVerify }: HttpForm, problems: FieldProblem[]): void {
  const isPlain = !/^https:/i.test(url)
  if (ca !== undefined && isPlain) complain(['ca'], 'needs an https URL: without TLS there is no certificate', problems)
  if (!insecureSkipVerify) return
  if (isPlain) complain(['insecureSkipVerify'], 'needs an https URL: without TLS nothing is verified', problems)
  if (ca !== undefined)
    complain(['insecureSkipVerify'], 'and ca exclude each other: with it, no certificate counts', problems)
}

function checkHeaders(headers: HttpForm['headers'], problems: FieldProblem[]): void {
  const seen = new Set<string>()
  for (const name of Object.keys(headers)) {
    const same = name.toLowerCase()
    if (ownHeaders.has(same)) complain(['headers', name], 'is set by Reeve itself: leave it out', problems)
    if (seen.has(same)) complain(['headers', name], 'is there twice: case does not count in names of headers', problems)
    seen.add(same)
  }
}

function draftStatuses(status: NonNullable<HttpForm['status']>, problems: FieldProblem[]): StatusRange[] {
  if (typeof status !== 'object') return [draftStatus(status, ['status'], problems)]
  return status.map((one, index) => draftStatus(one, ['status', index], problems))
}

function draftStatus(status: StatusForm, path: readonly (string | number)[], problems: FieldProblem[]): StatusRange {
  if (typeof status === 'number') return { from: status, to: status }
  const [from = 0, to = 0] = status.split('-').map(Number)
  if (from > to) complain(path, `is a range that holds nothing: ${status}`, problems)
  return { from, to }
}

function complain(path: readonly (string | number)[], what: string, problems: FieldProblem[]): void {
  const whole = ['spec', 'health', 'http', ...path]
  problems.push({ code: 'invalid-value', message: `${whole.join('.')} ${what}`, path: whole })
}
