import { createRequire } from 'node:module'
import { dirname } from 'node:path'

/** Of the Reeve that this is, from package.json. */
export function readPackageVersion(): string {
  const { version }: { version: string } = createRequire(import.meta.url)('#package')
  return version
}

/** Where the Reeve that this is is installed. */
export function packageDirectory(): string {
  return dirname(createRequire(import.meta.url).resolve('#package'))
}
