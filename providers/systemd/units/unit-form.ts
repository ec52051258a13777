import { definitionVariable } from './marker.ts'
import { joinContinued } from './unit-file.ts'

/** True if two unit files mean the same, whatever their comments, blanks and order, and whatever Reeve adds. */
export function saysTheSame(left: string, right: string): boolean {
  return normalForm(left) === normalForm(right)
}

/** Prefixes of keys whose mutual order matters: those of descriptors, of mounts, of input. */
const ordered = /^(?:Listen|Bind|StandardInput)/

function normalForm(text: string): string {
  const lines: { readonly place: string; readonly line: string }[] = []
  let section = ''
  for (const whole of joinContinued(text)) {
    const [, title] = /^\[(.+)\]$/.exec(whole) ?? []
    if (title !== undefined) section = title
    const [, key, value = ''] = /^([^=[]+?)\s*=\s*(.*)$/.exec(whole) ?? []
    if (title !== undefined || key === undefined || isReeves(section, key, value)) continue
    lines.push({ place: `${section} ${ordered.exec(key)?.[0] ?? key}`, line: `[${section}] ${key}=${value}` })
  }
  // A stable sort: values of one key stay in their order.
  return lines
    .sort((a, b) => (a.place < b.place ? -1 : Number(a.place > b.place)))
    .map(({ line }) => line)
    .join('\n')
}

function isReeves(section: string, key: string, value: string): boolean {
  return section === 'X-Reeve' || (key === 'Environment' && value.startsWith(`${definitionVariable}=`))
}
