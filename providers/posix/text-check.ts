/**
 * Shell functions that find bytes that are no text. Each reads its input to the end and prints the number of the first line
 * with such bytes, or nothing. They need no locale: bytes are given to the tools by number. `__reeve_newline` is set by the
 * caller. `__reeve_find_nul`: NUL, which a shell drops silently. `__reeve_find_other_bytes`: invalid UTF-8.
 */
export const textCheckFunctions = `__reeve_find_nul() {
  # The x keeps line ends at the end.
  __reeve_shown=$(tr '\\000\\n\\001' '\\n\\001 ' && printf x)
  case $__reeve_shown in *"$__reeve_newline"*)
    echo $(($(printf %s "\${__reeve_shown%%"$__reeve_newline"*}" | tr -dc '\\001' | wc -c) + 1)) ;;
  esac
}
__reeve_find_other_bytes() {
  od -An -v -tx1 | tr -s ' \\n' '  ' | sed 's/ 0a/\\
/g' | sed -n -e 's/ c[2-9a-f] [89ab][0-9a-f]/x/g' -e 's/ d[0-9a-f] [89ab][0-9a-f]/x/g' \\
    -e 's/ e0 [ab][0-9a-f] [89ab][0-9a-f]/x/g' -e 's/ ed [89][0-9a-f] [89ab][0-9a-f]/x/g' \\
    -e 's/ e[1-9abcef] [89ab][0-9a-f] [89ab][0-9a-f]/x/g' \\
    -e 's/ f0 [9ab][0-9a-f] [89ab][0-9a-f] [89ab][0-9a-f]/x/g' \\
    -e 's/ f[123] [89ab][0-9a-f] [89ab][0-9a-f] [89ab][0-9a-f]/x/g' \\
    -e 's/ f4 8[0-9a-f] [89ab][0-9a-f] [89ab][0-9a-f]/x/g' -e '/ [89a-f][0-9a-f]/{=;q;}'
}`
