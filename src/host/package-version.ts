import { createRequire } from 'node:module'
import { dirname } from 'node:path'

/** Version of this Reeve, from package.json. */
export function readPackageVersion(): string {
  const { version }: { version: string } = createRequire(import.meta.url)('#package')
  return version
}

/** Directory where this Reeve is installed. */
export function packageDirectory(): string {
  return dirname(createRequire(import.meta.url).resolve('#package'))
}
