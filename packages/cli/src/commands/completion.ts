/**
 * `completion bash|zsh`: made from the command's own table, so that it cannot fall behind. Names of containers, images,
 * networks and namespaces are asked for when they are needed.
 */
import { Failure } from '../program/failure.ts';
import { rootEntry } from '../program/registry.ts';
import type { CommandSpec, Completion, Entry } from '../program/spec.ts';

export const completion: CommandSpec = {
  usage: 'bash|zsh',
  args: [1, 1],
  flags: [],
  examples: ['netyard completion bash > /etc/bash_completion.d/netyard', 'source <(netyard completion zsh)'],
  complete: 'none',
  run: async (context, { args: [shell = ''] }) => {
    if (shell !== 'bash' && shell !== 'zsh') throw new Failure(`unknown shell ${JSON.stringify(shell)}: bash or zsh`);
    context.write(completionScript(shell, await completionLines(rootEntry)));
    return 0;
  },
};

export interface CompletionLine {
  /** `network connect`; '' is the command itself. */
  path: string;
  words: string[];
  /** Flags that take a value: what follows them is not completed. */
  valued: string[];
  complete: Completion;
}

/** Every command's words, by its path. */
export async function completionLines(entry: Entry, path = ''): Promise<CompletionLine[]> {
  const children = entry.children;
  if (children) {
    const words = children.map((child) => child.name);
    const own: CompletionLine = { path, words, valued: [], complete: 'none' };
    const below = await Promise.all(children.map((child) => completionLines(child, `${path} ${child.name}`.trim())));
    return [own, ...below.flat()];
  }
  const spec = await entry.load?.();
  const flags = (spec?.flags ?? []).filter((flag) => !flag.hidden);
  const shown = flags.flatMap((flag) => [`--${flag.name}`, ...(flag.short ? [`-${flag.short}`] : [])]);
  const valued = flags.filter((flag) => flag.type !== 'bool');
  return [
    {
      path,
      words: [...shown, '--help'],
      valued: valued.flatMap((flag) => [`--${flag.name}`, ...(flag.short ? [`-${flag.short}`] : [])]),
      complete: spec?.complete ?? (entry.passThrough ? 'files' : 'none'),
    },
  ];
}

const sources: Readonly<Record<Completion, string>> = {
  containers: "netyard ps -a --format '{{.Names}}'",
  running: "netyard ps --format '{{.Names}}'",
  images: "netyard images --format '{{.Repository}}:{{.Tag}}'",
  networks: "netyard network ls --format '{{.Name}}'",
  peers: 'netyard peer ls -q',
  targets: "echo uplink; netyard network ls --format '{{.Name}}'; netyard ps --format '{{.Names}}'",
  volumes: 'netyard volume ls -q',
  namespaces: 'netyard ns ls -q',
  files: '',
  none: '',
};

/** A script for bash; zsh runs the same through bashcompinit. Pure. */
export function completionScript(shell: 'bash' | 'zsh', lines: readonly CompletionLine[]): string {
  const cases = lines.map(({ path, words, valued, complete }) => {
    const names = complete === 'files' ? 'files' : sources[complete];
    return `    ${quoted(path)}) words=${quoted(words.join(' '))}; valued=${quoted(` ${valued.join(' ')} `)}; names=${quoted(names)} ;;`;
  });
  const head = shell === 'zsh' ? '#compdef netyard\nautoload -U +X bashcompinit && bashcompinit\n\n' : '';
  return `${head}${bashBody.replace('@CASES@', cases.join('\n'))}`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const bashBody = `# Completion of netyard, made by: netyard completion
_netyard_words() {
  case $1 in
@CASES@
    *) return 1 ;;
  esac
}

_netyard() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local words= valued= names= path= word index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case $word in -*) continue ;; esac
    if _netyard_words "\${path:+$path }$word"; then path="\${path:+$path }$word"; fi
  done
  _netyard_words "$path" || return 0
  COMPREPLY=()
  case $valued in *" $previous "*)
    COMPREPLY=($(compgen -f -- "$current"))
    return 0 ;;
  esac
  case $current in
    -*) ;;
    *) if [ "$names" = files ]; then
         COMPREPLY=($(compgen -f -- "$current"))
         return 0
       elif [ -n "$names" ]; then
         words=$(eval "$names" 2>/dev/null)
       fi ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -F _netyard netyard
`;
