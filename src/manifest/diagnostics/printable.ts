import { visibleWord } from '../../core/text/visible-text.ts'

/** Manifests are not to be trusted with the terminal: control characters and the like become visible, tabs a space. */
export function printable(text: string): string {
  return visibleWord(text.replaceAll('\t', ' '))
}
