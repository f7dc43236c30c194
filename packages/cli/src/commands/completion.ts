/**
 * `completion bash|zsh`: generates the script from the command table, so that it is always complete. Names of
 * containers, images, networks and namespaces are queried at completion time.
 */
import { Failure } from '../failure.ts';
import type { Completion, FlagSpec } from '../program/flags.ts';
import type { CommandSpec, Entry, ForeignCommand } from '../program/spec.ts';

/** @param root the command table; a parameter, because the table loads this file */
export const completion = (root: Entry): CommandSpec => ({
  usage: 'bash|zsh',
  args: [1, 1],
  flags: [],
  examples: ['netyard completion bash > /etc/bash_completion.d/netyard', 'source <(netyard completion zsh)'],
  complete: 'none',
  run: async (context, { args: [shell = ''] }) => {
    if (shell !== 'bash' && shell !== 'zsh') throw new Failure(`unknown shell ${JSON.stringify(shell)}: bash or zsh`);
    context.write(completionScript(shell, await completionLines(root)));
    return 0;
  },
});

export interface CompletionLine {
  /** `network connect`; '' for `netyard` itself. */
  path: string;
  words: string[];
  /** Flags with a value, completed with file names. */
  valued: string[];
  /** Flags whose values are completed otherwise. */
  values?: readonly { flags: readonly string[]; complete: Completion | readonly string[] }[];
  complete: Completion;
  /** Fixed arguments, such as `up`. */
  choices?: readonly string[];
}

/** Completions of every command, by its path. */
export async function completionLines(entry: Entry, path = ''): Promise<CompletionLine[]> {
  const children = entry.children;
  if (children) {
    const words = children.map((child) => child.name);
    const own: CompletionLine = { path, words, valued: [], complete: 'none' };
    const below = await Promise.all(children.map((child) => completionLines(child, `${path} ${child.name}`.trim())));
    return [own, ...below.flat()];
  }
  if (entry.foreign) return foreignLines(await entry.foreign(), path);
  const spec = await entry.load?.();
  const flags = (spec?.flags ?? []).filter((flag) => !flag.hidden);
  const valued = flags.filter((flag) => flag.type !== 'bool');
  return [
    {
      path,
      words: [...flags.flatMap(namesOf), '--help'],
      valued: valued.flatMap(namesOf),
      values: valued.flatMap((flag) => (flag.complete ? [{ flags: namesOf(flag), complete: flag.complete }] : [])),
      complete: spec?.complete ?? (entry.passThrough ? 'files' : 'none'),
    },
  ];
}

const namesOf = (flag: FlagSpec): string[] => [`--${flag.name}`, ...(flag.short ? [`-${flag.short}`] : [])];

/** Completion of arguments of commands with another parser, by the argument's name. */
const foreignArguments: Readonly<Record<string, Completion>> = { file: 'files', host: 'lab-hosts', name: 'labs' };

function foreignLines(command: ForeignCommand, path: string): CompletionLine[] {
  const flags = command.options.flatMap((option) =>
    [option.long, option.short].flatMap((name) =>
      name === undefined ? [] : [{ name, valued: option.required || option.optional }],
    ),
  );
  const [first] = command.registeredArguments;
  const children = command.commands;
  const own: CompletionLine = {
    path,
    words: children.length > 0 ? children.map((child) => child.name()) : [...flags.map(({ name }) => name), '--help'],
    valued: flags.filter(({ valued }) => valued).map(({ name }) => name),
    complete: foreignArguments[first?.name() ?? ''] ?? 'none',
    choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  };
  return [own, ...children.flatMap((child) => foreignLines(child, `${path} ${child.name()}`))];
}

const sources: Readonly<Record<Completion, string>> = {
  containers: "netyard ps -a --format '{{.Names}}'",
  running: "netyard ps --format '{{.Names}}'",
  images: "netyard images --format '{{.Repository}}:{{.Tag}}'",
  networks: "netyard network ls --format '{{.Name}}'",
  peers: 'netyard peer ls -q',
  targets:
    "echo uplink; netyard network ls --format '{{.Name}}'; netyard ps --format '{{.Names}}'; netyard peer ls -q | sed 's|$|/uplink|'",
  'cluster-hosts': 'netyard cluster ls -q',
  labs: "netyard lab ls | awk 'NR > 1 { print $1 }'",
  'lab-hosts': 'netyard lab ls | awk \'NR > 1 { print $2; print $1 "/" $2 }\'',
  volumes: 'netyard volume ls -q',
  namespaces: 'netyard ns ls -q',
  files: '',
  none: '',
};

/** Generates a script for bash; zsh runs it through bashcompinit. Pure. */
export function completionScript(shell: 'bash' | 'zsh', lines: readonly CompletionLine[]): string {
  const cases = lines.map(({ path, words, valued, values = [], complete, choices = [] }) => {
    const fixed = choices.map((choice) => `echo ${choice}`);
    const names =
      complete === 'files' ? 'files' : [...fixed, sources[complete]].filter((text) => text !== '').join('; ');
    const own = values.map((value) => {
      const offered = typeof value.complete === 'string' ? sources[value.complete] : `echo ${value.complete.join(' ')}`;
      return `${value.flags.join('|')}) values=${quoted(offered)} ;; `;
    });
    const ofFlag = own.length === 0 ? '' : `; case $2 in ${own.join('')}esac`;
    return `    ${quoted(path)}) offers=${quoted(words.join(' '))}; valued=${quoted(` ${valued.join(' ')} `)}; names=${quoted(names)}${ofFlag} ;;`;
  });
  const body = bashBody.replace('@CASES@', () => cases.join('\n'));
  return shell === 'zsh' ? `${zshHead}${body}${zshTail}` : body;
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const zshHead = '#compdef netyard\nautoload -U +X bashcompinit && bashcompinit\n\n';

/** As a file in $fpath the whole script is the completion function, so it must also complete at the first call. */
const zshTail = `
if [ "\${funcstack[1]}" = _netyard ]; then _bash_complete -o bashdefault -F _netyard_complete; fi
`;

/** Must not use variables named `words` or `path`, which are special in zsh. */
const bashBody = `# Completion of netyard, generated by: netyard completion
_netyard_words() {
  case $1 in
@CASES@
    *) return 1 ;;
  esac
}

_netyard_complete() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local offers= valued= names= values= command= word index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    case $word in -*) continue ;; esac
    if _netyard_words "\${command:+$command }$word"; then command="\${command:+$command }$word"; fi
  done
  _netyard_words "$command" "$previous" || return 0
  COMPREPLY=()
  case $valued in *" $previous "*)
    if [ -n "$values" ]; then
      COMPREPLY=($(compgen -W "$(eval "$values" 2>/dev/null)" -- "$current"))
    else
      COMPREPLY=($(compgen -f -- "$current"))
    fi
    return 0 ;;
  esac
  case $current in
    -*) ;;
    *) if [ "$names" = files ]; then
         COMPREPLY=($(compgen -f -- "$current"))
         return 0
       elif [ -n "$names" ]; then
         offers=$(eval "$names" 2>/dev/null)
       fi ;;
  esac
  COMPREPLY=($(compgen -W "$offers" -- "$current"))
}

complete -F _netyard_complete netyard
`;
