import { maxSatisfying, valid, validRange } from 'semver'
import type { ReferenceWish } from '../core/model/source-configuration.ts'
import type { RemoteReference } from './remote-reference.ts'

/** What to ask the server for: patterns of `git ls-remote`. */
export function patternsOf(wish: ReferenceWish): string[] {
  switch (wish.kind) {
    case 'default-branch':
      return ['refs/heads/*']
    case 'branch':
      return [`refs/heads/${wish.name}`]
    case 'tag':
      return [`refs/tags/${wish.name}`]
    case 'semver':
      return ['refs/tags/*']
  }
}

/** Undefined: the server has none such. `head` is what its HEAD names. */
export function chooseReference(
  wish: ReferenceWish,
  { references, head }: { readonly references: readonly RemoteReference[]; readonly head?: string },
): RemoteReference | undefined {
  const named = (name: string | undefined) => references.find(reference => reference.name === name)
  switch (wish.kind) {
    case 'default-branch':
      return named(head)
    case 'branch':
      return named(`refs/heads/${wish.name}`)
    case 'tag':
      return named(`refs/tags/${wish.name}`)
    case 'semver': {
      const tags = new Map(
        references.flatMap(reference => {
          const version = valid(reference.name.replace(/^refs\/tags\//, ''))
          return version === null ? [] : [[version, reference] as const]
        }),
      )
      const newest = maxSatisfying([...tags.keys()], wish.range)
      return newest === null ? undefined : tags.get(newest)
    }
  }
}

/** For people. */
export function describeWish(wish: ReferenceWish): string {
  switch (wish.kind) {
    case 'default-branch':
      return 'the default branch'
    case 'branch':
      return `branch ${wish.name}`
    case 'tag':
      return `tag ${wish.name}`
    case 'semver':
      return `the newest tag in ${wish.range}`
  }
}

/** Of versions, as npm writes them. */
export function isRange(text: string): boolean {
  return validRange(text) !== null
}
