import type { Policy } from '../../src/core/model/host-configuration.ts'
import type { BesideOutput } from '../../src/core/state/output-places.ts'
import type { ManifestSet } from '../../src/manifest/manifest-set.ts'
import { facilityText, loadFiles } from './manifest-directory.ts'

/** `spec.process` with this command; `more` continues it. */
export function run(command: string, more = ''): string {
  return `process: { command: [${command}]${more} }`
}

/** What root reads of a facility `web` and more manifests, under this policy of the host. */
export function loadUnderPolicy(
  spec: string,
  policy: Policy,
  more: Readonly<Record<string, string>> = {},
  besideOutput?: BesideOutput,
): ManifestSet {
  return loadFiles(
    { 'web.yaml': facilityText('web', spec), ...more },
    {
      policy,
      runsAsRoot: true,
      insecurePermissions: true,
      ...(besideOutput && { schemaOf: () => ({ besideOutput }) }),
    },
  )
}

export function codesUnderPolicy(...given: Parameters<typeof loadUnderPolicy>): string[] {
  return loadUnderPolicy(...given).diagnostics.map(({ code }) => code)
}
