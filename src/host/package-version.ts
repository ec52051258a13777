import { createRequire } from 'node:module'

/** Of the Reeve that this is, from package.json. */
export function readPackageVersion(): string {
  const { version }: { version: string } = createRequire(import.meta.url)('#package')
  return version
}
