import { ReeveError } from '../core/reeve-error.ts'

export const completionShells = ['bash', 'zsh', 'fish'] as const
export type CompletionShell = (typeof completionShells)[number]

/**
 * The scripts know nothing of Reeve's commands: at each Tab they ask `reeve complete`, which answers with a line
 * `candidate<TAB>description` for each, or with `:files` or `:directories` where the shell knows better.
 */
const scripts: Readonly<Record<CompletionShell, string>> = {
  bash: `# reeve completion for bash
_reeve() {
  local IFS=$'\\n' rest="$COMP_LINE" word words=() line
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
  local cur="\${words[\${#words[@]}-1]}" flag= kept= breaks="\${COMP_WORDBREAKS//[!:=@]/}"
  [[ $cur == -*=* ]] && flag="\${cur%%=*}="
  # What stands before the last cut stays as it is: only the rest is replaced, of which @ is a part.
  [[ -n $breaks ]] && kept="\${cur%"\${cur##*["$breaks"]}"}" kept="\${kept%@}"
  COMPREPLY=()
  for line in $("\${words[0]}" complete -- "\${words[@]:1}" 2>/dev/null); do
    case "$line" in
      :files) compopt -o filenames; COMPREPLY+=($(compgen -P "$flag" -f -- "\${cur#"$flag"}")) ;;
      :directories) compopt -o filenames; COMPREPLY+=($(compgen -P "$flag" -d -- "\${cur#"$flag"}")) ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done
  COMPREPLY=("\${COMPREPLY[@]#"$kept"}")
}
complete -F _reeve reeve
`,
  zsh: `#compdef reeve
# reeve completion for zsh
_reeve() {
  local line
  local -a candidates
  for line in "\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case "$line" in
      '') ;;
      :files) _files ;;
      :directories) _files -/ ;;
      *) candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done
  (( \${#candidates} )) && _describe 'reeve' candidates
}
if [ "\${funcstack[1]}" = _reeve ]; then _reeve "$@"; else compdef _reeve reeve; fi
`,
  fish: `# reeve completion for fish
function __reeve_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in ($words[1] complete -- $words[2..-1] 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path (commandline -ct)
      case ':directories'
        __fish_complete_directories (commandline -ct)
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
