import { visibleWord } from '../../core/text/visible-text.ts'

/** Makes control characters visible and tabs a space, as text of a manifest must not control the terminal. */
export function printable(text: string): string {
  return visibleWord(text.replaceAll('\t', ' '))
}
