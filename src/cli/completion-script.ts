import { ReeveError } from '../core/reeve-error.ts'

export const completionShells = ['bash', 'zsh', 'fish'] as const
export type CompletionShell = (typeof completionShells)[number]

/**
 * The scripts know nothing of Reeve's commands: at each Tab they ask `reeve complete` with the words as they are typed, quotes and
 * all, which answers with a line `candidate<TAB>description` for each, or with `:files` or `:directories` where the shell knows
 * better. Nothing that is typed or answered is ever evaluated.
 */
const scripts: Readonly<Record<CompletionShell, string>> = {
  bash: `# reeve completion for bash
_reeve() {
  local rest="$COMP_LINE" word words=() line
  # Names hold : and @, flags =, at which bash cuts: what no blank separates is one word.
  for word in "\${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
    if [[ \${#words[@]} -gt 0 && $rest != [[:blank:]]* ]]; then
      words[\${#words[@]}-1]+="$word"
    else
      rest="\${rest#"\${rest%%[![:blank:]]*}"}"
      words+=("$word")
    fi
    rest="\${rest#"$word"}"
  done
  local cur="\${words[\${#words[@]}-1]}" kept= breaks="\${COMP_WORDBREAKS//[!:=@]/}"
  # What stands before the last cut stays as it is: only the rest is replaced, of which @ is a part. In quotes it doesn't cut.
  [[ -n $breaks && $cur != [\\"\\']* ]] && kept="\${cur%"\${cur##*["$breaks"]}"}" kept="\${kept%@}"
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :files) compopt -o default ;;
      :directories) compopt -o dirnames ;;
      *)
        word="\${line%%$'\\t'*}" word="\${word#"$kept"}"
        [[ $cur == [\\"\\']* || $word != *[!A-Za-z0-9_.@:=/+,-]* ]] || printf -v word %q "$word"
        COMPREPLY+=("$word")
        ;;
    esac
  done < <("\${words[0]/#~\\//$HOME/}" complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -F _reeve reeve
`,
  zsh: `#compdef reeve
# reeve completion for zsh
_reeve() {
  local line
  local -a candidates
  for line in "\${(@f)$("\${(Q)words[1]/#\\~\\//$HOME/}" complete -- "\${(@)words[2,CURRENT-1]}" "$QIPREFIX$IPREFIX$PREFIX" 2>/dev/null)}"; do
    case "$line" in
      '') ;;
      :files) [[ $PREFIX != -*=* ]] || compset -P '*='; _files ;;
      :directories) [[ $PREFIX != -*=* ]] || compset -P '*='; _files -/ ;;
      *) candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done
  (( \${#candidates} )) && _describe 'reeve' candidates
}
if [ "\${funcstack[1]}" = _reeve ]; then
  _reeve "$@"
else
  (( \${+functions[compdef]} )) || { autoload -Uz compinit && compinit; }
  compdef _reeve reeve
fi
`,
  fish: `# reeve completion for fish
function __reeve_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l flag (string match -r -- '^-[^=]*=' $current)
  set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
  for line in ($program complete -- $words[2..-1] "$current" 2>/dev/null)
    switch $line
      case ':files'
        for path in (__fish_complete_path (string replace -- "$flag" '' "$current"))
          echo "$flag$path"
        end
      case ':directories'
        for path in (__fish_complete_directories (string replace -- "$flag" '' "$current") '')
          echo "$flag$path"
        end
      case '*'
        echo $line
    end
  end
end
complete -c reeve -f -a '(__reeve_complete)'
`,
}

export function completionScript(shell: string): string {
  const known = completionShells.find(name => name === shell)
  if (!known) throw new ReeveError('usage', `expected a shell out of ${completionShells.join(', ')}, found ${shell}`)
  return scripts[known]
}
