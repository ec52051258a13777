/** As much of JSON Schema as our schemas make use of. */
export interface Schema {
  readonly [keyword: string]: unknown
  readonly $ref?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly $defs?: Readonly<Record<string, Schema>>
  readonly 'x-policy'?: Bound
}

/** Which keys of the policy bound a field, or why it needs none. */
export type Bound = readonly string[] | string

/**
 * Every field that holds a value of its own: `spec.process.umask`, `spec.files.*.path`. `*` stands for any key of a table, and
 * for any item of a list of tables; a list of plain values is one field. With it goes its bound, or that of the table it is in.
 */
export function listBounds(root: Schema): ReadonlyMap<string, Bound | undefined> {
  const fields = new Map<string, Bound | undefined>()

  function visit(schema: Schema, path: readonly string[], outer: Bound | undefined): void {
    const { properties = {}, additionalProperties, items, anyOf = [], 'x-policy': bound = outer } = resolve(schema)
    const children = Object.entries(properties)
    if (additionalProperties === true) children.push(['*', {}])
    else if (additionalProperties) children.push(['*', additionalProperties])
    if (items && resolve(items).properties) children.push(['*', items])
    const isTable = anyOf.some(({ properties: some }) => some !== undefined)
    if (children.length === 0) fields.set(path.join('.'), bound)
    for (const [key, child] of children) visit(child, [...path, key], bound)
    if (isTable) for (const alternative of anyOf) visit(alternative, path, bound)
  }

  function resolve(schema: Schema): Schema {
    const name = schema.$ref?.replace('#/$defs/', '')
    return name === undefined ? schema : { ...root.$defs?.[name], ...schema }
  }

  visit(root, [], undefined)
  return fields
}

/** Those fields, sorted. */
export function listFields(root: Schema): string[] {
  return [...listBounds(root).keys()].sort()
}
