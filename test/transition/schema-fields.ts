/** As much of JSON Schema as the schema of facilities makes use of. */
interface Schema {
  readonly [keyword: string]: unknown
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly $defs?: Readonly<Record<string, Schema>>
}

/**
 * Every field that holds a value of its own, sorted: `spec.process.umask`, `spec.files.*.path`. `*` stands for any key of
 * a table, and for any item of a list of tables; a list of plain values is one field.
 */
export function listFields(root: Schema): string[] {
  const fields = new Set<string>()

  function visit(schema: Schema, path: readonly string[]): void {
    const { properties = {}, additionalProperties, items, anyOf = [] } = resolve(schema)
    const children = Object.entries(properties)
    if (additionalProperties === true) children.push(['*', {}])
    else if (additionalProperties) children.push(['*', additionalProperties])
    if (items && resolve(items).properties) children.push(['*', items])
    const isTable = anyOf.some(({ properties: some }) => some !== undefined)
    if (children.length === 0) fields.add(path.join('.'))
    for (const [key, child] of children) visit(child, [...path, key])
    if (isTable) for (const alternative of anyOf) visit(alternative, path)
  }

  function resolve(schema: Schema): Schema {
    const name = schema.$ref?.replace('#/$defs/', '')
    return name === undefined ? schema : (root.$defs?.[name] ?? {})
  }

  visit(root, [])
  return [...fields].sort()
}
