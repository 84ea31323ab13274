/**
 * `sluice completions`: the completion script of a shell, made from the command tree itself, so that no
 * option can be forgotten here. Called by program.ts.
 */
import type { Argument, Command, Option } from "commander";
import { ExitCode } from "./failure.ts";
import { writeOut } from "./output.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** What a completion may offer after a word: fixed words, files, or nothing we know. */
interface Candidates {
  readonly words: readonly string[];
  readonly files: boolean;
}

interface OptionEntry extends Candidates {
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
}

interface CommandEntry {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionEntry[];
  readonly argument: Candidates;
}

/** Prints the script and resolves to the exit code. */
export function completionsCommand(program: Command, shell: Shell): number {
  writeOut(completionScript(program, shell));
  return ExitCode.OK;
}

/** The script; the Debian package carries it as a file. */
export function completionScript(program: Command, shell: Shell): string {
  const writers = { bash: bashScript, zsh: zshScript, fish: fishScript };
  return writers[shell](readCommands(program));
}

function readCommands(program: Command): CommandEntry[] {
  const help = program.createHelp();
  return help.visibleCommands(program).map((command) => {
    const inner = command.name() === "help" ? [] : command.commands;
    return {
      name: command.name(),
      description: command.description(),
      // Of a command with commands in it all that any of them takes: which one it is stands before them.
      options: distinct([command, ...inner].flatMap((one) => help.visibleOptions(one).map(readOption))),
      argument:
        inner.length > 0
          ? { words: inner.map((one) => one.name()), files: false }
          : argumentCandidates(command.name(), command.registeredArguments[0], program),
    };
  });
}

const distinct = (options: readonly OptionEntry[]): readonly OptionEntry[] =>
  options.filter(({ flags }, at) => options.findIndex((one) => one.flags.at(-1) === flags.at(-1)) === at);

const readOption = (option: Option): OptionEntry => ({
  flags: [option.short, option.long].filter((flag) => typeof flag === "string"),
  description: option.description,
  takesValue: option.required || option.optional,
  words: option.argChoices ?? [],
  files: /<(?:file|folder)>/.test(option.flags),
});

function argumentCandidates(name: string, argument: Argument | undefined, program: Command): Candidates {
  if (name === "help") return { words: program.commands.map((command) => command.name()), files: false };
  return { words: argument?.argChoices ?? [], files: argument?.name() === "file" };
}

function bashScript(commands: readonly CommandEntry[]): string {
  const cases = commands.map((command) => {
    const flags = command.options.flatMap((option) => option.flags).join(" ");
    const values = command.options
      .filter((option) => option.takesValue)
      .map((option) => `        ${option.flags.join("|")}) ${bashReply(option)}; return ;;`);
    return `    ${command.name})
      case "$prev" in
${values.length === 0 ? "        *) ;;" : values.join("\n")}
      esac
      if [[ "$cur" == -* ]]; then COMPREPLY=($(compgen -W "${flags}" -- "$cur"))
      else ${bashReply(command.argument)}; fi
      ;;`;
  });
  return `# bash completion of sluice
_sluice() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
  COMPREPLY=()
  if [[ "$COMP_CWORD" -eq 1 ]]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")}" -- "$cur"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
}
complete -F _sluice sluice
`;
}

function bashReply({ words, files }: Candidates): string {
  if (files) return 'COMPREPLY=($(compgen -f -- "$cur"))';
  return words.length > 0 ? `COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$cur"))` : ":";
}

function zshScript(commands: readonly CommandEntry[]): string {
  const cases = commands.map((command) => {
    const specs = command.options.map(zshOption);
    const { files, words } = command.argument;
    const rest = files || words.length > 0 ? [`'*:argument:${zshAction(command.argument)}'`] : [];
    return `    ${command.name})\n      _arguments ${[...specs, ...rest].join(" \\\n        ")}\n      ;;`;
  });
  const names = commands.map(({ name, description }) => `    '${name}:${quoteSingle(description)}'`);
  return `#compdef sluice
# zsh completion of sluice
_sluice() {
  local -a commands
  commands=(
${names.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
# Loaded by compinit the file is the function; sourced, it registers it.
if [ "$funcstack[1]" = "_sluice" ]; then _sluice "$@"; else compdef _sluice sluice; fi
`;
}

function zshOption(option: OptionEntry): string {
  const description = quoteSingle(option.description).replace(/[[\]]/g, "\\$&");
  const value = option.takesValue ? `:value:${zshAction(option)}` : "";
  const flags = option.flags.length > 1 ? `{${option.flags.join(",")}}` : `'${option.flags[0]}'`;
  return `'*'${flags}'[${description}]${value}'`;
}

function zshAction({ words, files }: Candidates): string {
  if (files) return "_files";
  return words.length > 0 ? `(${words.join(" ")})` : " ";
}

function fishScript(commands: readonly CommandEntry[]): string {
  const lines = ["# fish completion of sluice", "complete -c sluice -f"];
  for (const { name, description } of commands) {
    lines.push(`complete -c sluice -n __fish_use_subcommand -a ${name} -d '${fishQuote(description)}'`);
  }
  for (const command of commands) {
    const when = `-n '__fish_seen_subcommand_from ${command.name}'`;
    for (const option of command.options) {
      lines.push(`complete -c sluice ${when} ${fishFlags(option)} -d '${fishQuote(option.description)}'`);
    }
    const { words, files } = command.argument;
    if (files) lines.push(`complete -c sluice ${when} -F`);
    else if (words.length > 0) lines.push(`complete -c sluice ${when} -a '${words.join(" ")}'`);
  }
  return `${lines.join("\n")}\n`;
}

function fishFlags({ flags, takesValue, words, files }: OptionEntry): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  if (files) names.push("-r -F");
  else if (takesValue) names.push(words.length > 0 ? `-x -a '${words.join(" ")}'` : "-x");
  return names.join(" ");
}

const quoteSingle = (text: string): string => text.replaceAll("'", "'\\''");
const fishQuote = (text: string): string => text.replace(/['\\]/g, "\\$&");
