// Completions for shells, made from the commands themselves. Instances are completed from the enablement files of the home, without starting anything. Called by commands/completion.ts.
import type { CommandNode } from './command-tree.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The text a shell sources. */
export function completionScript(shell: Shell, root: CommandNode): string {
  switch (shell) {
    case 'bash':
      return bash(root);
    case 'zsh':
      // Its own emulation of what bash has: one script, tested in bash.
      return `autoload -U +X bashcompinit && bashcompinit\n${bash(root)}`;
    case 'fish':
      return fish(root);
    default:
      return shell satisfies never;
  }
}

const everyNode = (node: CommandNode): CommandNode[] => [node, ...node.commands.flatMap(everyNode)];

type Kind = 'instances' | 'files' | 'nothing';

function kindOf(name: string): Kind {
  if (/^(--instance|--channel|instance)$/.test(name)) return 'instances';
  return /^(--home|--data|--out|--key|--trust|--token-file|--head|--log|.*(file|dir|package|home|backup|old|new|record).*)$/.test(name) ? 'files' : 'nothing';
}

const HELP = '--help';

function bash(root: CommandNode): string {
  const nodes = everyNode(root);
  const shared = root.options.map(({ name }) => name);
  const valued = [...new Set(nodes.flatMap(({ options }) => options.filter(({ takesValue }) => takesValue).map(({ name }) => name)))];
  const wordsOf = ({ path, commands, options, arguments: given }: CommandNode) => {
    const choices = given.flatMap((each) => each.choices);
    const words = [...commands.map(({ name }) => name), ...choices, ...(path.length === 0 ? [] : options.map(({ name }) => name)), ...shared, HELP];
    const kind = given.map(({ name }) => kindOf(name)).find((each) => each !== 'nothing') ?? 'nothing';
    return `    '${path.join(' ')}') words='${words.join(' ')}'; kind=${kind} ;;`;
  };
  const ofKind = (kind: Kind) => valued.filter((name) => kindOf(name) === kind).join('|') || 'none';
  return `# Completions of gatehouse for bash. Made by \`gatehouse completion\`.
_gatehouse() {
  local cur=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} home=\${GATEHOUSE_HOME:-.} path= word words= kind=nothing file i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case $word in
      --home) ((i++)); home=\${COMP_WORDS[i]}; continue ;;
      ${valued.filter((name) => name !== '--home').join('|')}) ((i++)); continue ;;
      -*) continue ;;
    esac
    case "\${path:+$path }$word" in
      ${nodes.filter(({ path }) => path.length > 0).map(({ path }) => `'${path.join(' ')}'`).join('|')}) path="\${path:+$path }$word" ;;
    esac
  done
  case $previous in
    ${ofKind('instances')}) kind=instances ;;
    ${ofKind('files')}) kind=files ;;
    ${valued.filter((name) => kindOf(name) === 'nothing').join('|')}) return ;;
    *) case $path in
${nodes.map(wordsOf).join('\n')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  case $kind in
    instances)
      for file in "\${home/#\\~/$HOME}"/manifests/plugins/*.json; do
        file=\${file##*/}; file=\${file%.json}
        [[ $file != '*' && $file == "$cur"* ]] && COMPREPLY+=("$file")
      done ;;
    files) while IFS= read -r file; do COMPREPLY+=("$file"); done < <(compgen -f -- "$cur") ;;
  esac
}
complete -o filenames -F _gatehouse gatehouse
`;
}

function fish(root: CommandNode): string {
  const quoted = (text: string) => `'${text.replaceAll('\\', String.raw`\\`).replaceAll("'", String.raw`\'`)}'`;
  const option = ({ name, takesValue }: CommandNode['options'][number], condition: string) => {
    const kind = kindOf(name);
    return `complete -c gatehouse${condition} -l ${name.replace(/^--?/, '')}${takesValue ? (kind === 'files' ? ' -rF' : kind === 'instances' ? " -xa '(__gatehouse_instances)'" : ' -x') : ''}`;
  };
  const lines = root.commands.flatMap((command) => {
    const here = ` -n ${quoted(`__fish_seen_subcommand_from ${command.name}`)}`;
    const wanted = everyNode(command).flatMap(({ arguments: given }) => given.map(({ name }) => kindOf(name)));
    return [
      `complete -c gatehouse -n __fish_use_subcommand -a ${command.name} -d ${quoted(command.summary)}`,
      ...command.commands.map(({ name, summary }) => `complete -c gatehouse -n ${quoted(`__fish_seen_subcommand_from ${command.name}; and not __fish_seen_subcommand_from ${command.commands.map((each) => each.name).join(' ')}`)} -a ${name} -d ${quoted(summary)}`),
      ...[...new Map(everyNode(command).flatMap(({ options }) => options.map((each) => [each.name, each] as const))).values()].map((each) => option(each, here)),
      ...(wanted.includes('instances') ? [`complete -c gatehouse${here} -a '(__gatehouse_instances)'`] : []),
      ...(wanted.includes('files') ? [`complete -c gatehouse${here} -F`] : []),
    ];
  });
  return `# Completions of gatehouse for fish. Made by \`gatehouse completion\`.
function __gatehouse_instances
    set -l home .
    set -q GATEHOUSE_HOME; and set home $GATEHOUSE_HOME
    set -l words (commandline -opc)
    set -l at (contains -i -- --home $words); and set home $words[(math $at + 1)]
    for file in $home/manifests/plugins/*.json
        string replace -r '.*/(.*)\\.json$' '$1' -- $file
    end
end
complete -c gatehouse -f
${[...root.options.map((each) => option(each, '')), ...lines].join('\n')}
`;
}
