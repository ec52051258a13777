import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Links of a page in `directory` that lead to no existing file, or to no heading of a page. */
export function deadLinks(directory: string, page: string): string[] {
  const prose = withoutCode(readFileSync(join(directory, page), 'utf8'))
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
  return links.filter(link => !/^[a-z]+:/.test(link) && !leadsSomewhere(link, directory, page))
}

function leadsSomewhere(link: string, directory: string, page: string): boolean {
  const [path = '', heading] = link.split('#')
  const target = path === '' ? join(directory, page) : join(directory, dirname(page), path)
  if (!existsSync(target)) return false
  return heading === undefined || headings(readFileSync(target, 'utf8')).includes(heading)
}

function withoutCode(markdown: string): string {
  return markdown.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '')
}

/** Anchors as GitHub derives them. */
function headings(markdown: string): string[] {
  return [...markdown.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
