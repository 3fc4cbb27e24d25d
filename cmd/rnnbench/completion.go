package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"batchrnn/internal/option"
)

// shellArgument is the name of a shell in the help.
const shellArgument = "SHELL"

type completionCommand struct {
	Shell string `arg:"" help:"bash, zsh or fish."`
}

// Help returns the text that kong prints below the summary.
func (*completionCommand) Help() string {
	return `Prints the script for one shell. Load it when the shell starts:

  bash: source <(rnnbench completion bash), in ~/.bashrc

  zsh: source <(rnnbench completion zsh), in ~/.zshrc, after compinit

  fish: rnnbench completion fish | source, in ~/.config/fish/config.fish`
}

// Run is called by kong.
func (c *completionCommand) Run(env *environment) error {
	write, ok := map[string]func(io.Writer, []completed){"bash": completeBash, "zsh": completeZsh, "fish": completeFish}[c.Shell]
	if !ok {
		return option.Misuse(shellArgument, "%q has no completion: give bash, zsh or fish", c.Shell)
	}
	out := &firstError{w: env.stdout}
	write(out, completions(env.model))
	if out.err != nil {
		return fmt.Errorf("standard output: %w", out.err)
	}
	return nil
}

// A completed is what can be completed after one command; the first one, without a name,
// stands before any.
type completed struct {
	name, help string
	arguments  []string // the values of the first argument; nil for a file
	files      bool     // it has an argument that is a file
	flags      []completedFlag
}

// A completedFlag is a flag, and what may follow it.
type completedFlag struct {
	name, help string
	short      string   // such as "q"; empty without one
	values     []string // nil for any
	file       bool
	takes      bool // a value follows
	optional   bool // or none
}

// completions lists what can be completed, from kong's model of the command line.
func completions(app *kong.Application) []completed {
	top := completed{flags: completedFlags(app.Node)}
	all := []completed{top}
	for _, command := range app.Children {
		c := completed{name: command.Name, help: command.Help, flags: completedFlags(command)}
		for _, argument := range command.Positional {
			if c.files = argument.Name == "model"; !c.files {
				c.arguments = []string{"bash", "zsh", "fish"}
			}
		}
		all = append(all, c)
	}
	for _, c := range all[1:] {
		all[0].arguments = append(all[0].arguments, c.name)
	}
	return all
}

// named are the values of flags whose placeholder does not list them. A command takes
// those that the flag's help names.
var named = map[string][]string{
	"cell":      {"rnn", "lstm", "gru", "gru-reset-before"},
	"isa":       {"generic", "avx2", "avx512", "avx512vnni"},
	"optimizer": {"adam", "adamw", "adagrad", "sgd"},
	"smoothing": {"kneser-ney", "absolute"},
	"split":     {"auto", "all", "train", "valid", "test"},
	"store":     {"map", "hash", "trie", "quantised"},
}

func completedFlags(node *kong.Node) (flags []completedFlag) {
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			place := f.FormatPlaceHolder()
			c := completedFlag{name: "--" + f.Name, help: f.Help, takes: !f.IsBool(), optional: mayLackValue(f)}
			if f.Short != 0 {
				c.short = string(f.Short)
			}
			if words := strings.Split(place, "|"); c.takes && len(words) > 1 && place == strings.ToLower(place) {
				c.values = words
			}
			for _, value := range named[f.Name] {
				if strings.Contains(f.Help, value) {
					c.values = append(c.values, value)
				}
			}
			for _, kind := range []string{"FILE", "PATH", "DIR", "MODEL"} {
				c.file = c.file || c.takes && strings.Contains(place, kind)
			}
			flags = append(flags, c)
			if f.IsBool() && f.Tag.Negatable != "" {
				flags = append(flags, completedFlag{name: "--no-" + f.Name, help: "Not: " + f.Help})
			}
		}
	}
	return flags
}

// names returns the names of flags, with a separator between them.
func names(flags []completedFlag, separator string) string {
	var names []string
	for _, f := range flags {
		names = append(names, f.name)
	}
	return strings.Join(names, separator)
}

// flagsThat lists the flags of all commands that take what is asked for, by name, each
// once. The first of a name stands for all: gradients lacks one of the cells.
func flagsThat(all []completed, take func(completedFlag) bool) (flags []completedFlag) {
	seen := map[string]bool{}
	for _, c := range all {
		for _, f := range c.flags {
			if take(f) && !seen[f.name] {
				seen[f.name] = true
				flags = append(flags, f)
			}
		}
	}
	return flags
}

// bashFiles completes a file, whose name may have blanks.
const bashFiles = `local IFS=$'\n'; COMPREPLY=($(compgen -f -- "$current"))`

func completeBash(w io.Writer, all []completed) {
	fmt.Fprint(w, `# bash completion of rnnbench
_rnnbench() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= word
	COMPREPLY=()
	if [[ $current == "=" ]]; then # --flag=value is three words
		current=
	elif [[ $previous == "=" ]]; then
		previous=${COMP_WORDS[COMP_CWORD-2]}
	fi
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		-*) ;;
		`)
	fmt.Fprintf(w, "%s) command=$word; break ;;\n", strings.Join(all[0].arguments, "|"))
	fmt.Fprint(w, "\t\tesac\n\tdone\n\tcase $previous in\n")
	for _, f := range flagsThat(all, func(f completedFlag) bool { return f.values != nil }) {
		fmt.Fprintf(w, "\t%s) COMPREPLY=($(compgen -W %q -- \"$current\")); return ;;\n", f.name, strings.Join(f.values, " "))
	}
	if files := names(flagsThat(all, func(f completedFlag) bool { return f.file }), "|"); files != "" {
		fmt.Fprintf(w, "\t%s)\n\t\tif [[ $current != -* ]]; then\n\t\t\t%s\n\t\t\treturn\n\t\tfi ;;\n", files, bashFiles)
	}
	if others := names(flagsThat(all, func(f completedFlag) bool { return f.takes && !f.file && f.values == nil }), "|"); others != "" {
		fmt.Fprintf(w, "\t%s) return ;;\n", others)
	}
	fmt.Fprint(w, "\tesac\n\tcase $command in\n")
	for _, c := range all {
		pattern := c.name
		if pattern == "" {
			pattern = `""`
		}
		fmt.Fprintf(w, "\t%s)\n\t\tif [[ $current == -* ]]; then\n\t\t\tCOMPREPLY=($(compgen -W %q -- \"$current\"))\n", pattern, names(c.flags, " "))
		switch {
		case c.arguments != nil:
			fmt.Fprintf(w, "\t\telse\n\t\t\tCOMPREPLY=($(compgen -W %q -- \"$current\"))\n", strings.Join(c.arguments, " "))
		case c.files:
			fmt.Fprintf(w, "\t\telse\n\t\t\t%s\n", bashFiles)
		}
		fmt.Fprint(w, "\t\tfi ;;\n")
	}
	fmt.Fprint(w, "\tesac\n}\ncomplete -o filenames -F _rnnbench rnnbench\n")
}

// firstSentence returns help up to the end of its first sentence, for a line of a menu.
func firstSentence(help string) string {
	sentence, _, _ := strings.Cut(help, ". ")
	return strings.TrimSuffix(sentence, ".")
}

// zshQuoted quotes a text in a specification of _arguments.
func zshQuoted(text string) string {
	return strings.NewReplacer(`'`, `'\''`, `[`, `\[`, `]`, `\]`, `:`, `\:`).Replace(text)
}

func completeZsh(w io.Writer, all []completed) {
	fmt.Fprint(w, "#compdef rnnbench\n# zsh completion of rnnbench\n_rnnbench() {\n\tlocal state line\n\t_arguments -C \\\n")
	zshFlags(w, all[0])
	fmt.Fprint(w, "\t\t'1:command:->command' '*::argument:->argument'\n\tcase $state in\n\tcommand)\n\t\tlocal -a commands=(\n")
	for _, c := range all[1:] {
		fmt.Fprintf(w, "\t\t\t'%s:%s'\n", c.name, strings.ReplaceAll(firstSentence(c.help), `'`, `'\''`))
	}
	fmt.Fprint(w, "\t\t)\n\t\t_describe command commands ;;\n\targument)\n\t\tcase $line[1] in\n")
	for _, c := range all[1:] {
		fmt.Fprintf(w, "\t\t%s) _arguments \\\n", c.name)
		zshFlags(w, c)
		switch {
		case c.arguments != nil:
			fmt.Fprintf(w, "\t\t\t'1:argument:(%s)'", strings.Join(c.arguments, " "))
		case c.files:
			fmt.Fprint(w, "\t\t\t'1:model:_files'")
		}
		fmt.Fprint(w, "\n\t\t\t;;\n")
	}
	fmt.Fprint(w, "\t\tesac ;;\n\tesac\n}\ncompdef _rnnbench rnnbench\n")
}

func zshFlags(w io.Writer, c completed) {
	for _, f := range c.flags {
		follows := ""
		name := f.name
		if f.takes && !f.optional {
			name += "=" // or the value in the next word
		}
		switch {
		case f.values != nil:
			follows = ":value:(" + strings.Join(f.values, " ") + ")"
		case f.optional:
			follows = "::file:_files"
		case f.file:
			follows = ":file:_files"
		case f.takes:
			follows = ":value:"
		}
		names := []string{name}
		if f.short != "" {
			names = append(names, "-"+f.short)
		}
		for _, name := range names {
			fmt.Fprintf(w, "\t\t\t'%s[%s]%s' \\\n", name, zshQuoted(firstSentence(f.help)), follows)
		}
	}
}

func completeFish(w io.Writer, all []completed) {
	quote := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
	}
	fmt.Fprint(w, "# fish completion of rnnbench\ncomplete -c rnnbench -f\n")
	before := quote("not __fish_seen_subcommand_from " + strings.Join(all[0].arguments, " "))
	for _, c := range all {
		when := before
		if c.name != "" {
			fmt.Fprintf(w, "complete -c rnnbench -n %s -a %s -d %s\n", before, c.name, quote(firstSentence(c.help)))
			when = quote("__fish_seen_subcommand_from " + c.name)
			switch {
			case c.arguments != nil:
				fmt.Fprintf(w, "complete -c rnnbench -n %s -a %s\n", when, quote(strings.Join(c.arguments, " ")))
			case c.files:
				fmt.Fprintf(w, "complete -c rnnbench -n %s -F\n", when)
			}
		}
		for _, f := range c.flags {
			follows := ""
			switch {
			case f.values != nil:
				follows = " -x -a " + quote(strings.Join(f.values, " "))
			case f.optional:
				follows = " -F"
			case f.file:
				follows = " -r -F"
			case f.takes:
				follows = " -x"
			}
			names := "-l " + strings.TrimPrefix(f.name, "--")
			if f.short != "" {
				names += " -s " + f.short
			}
			fmt.Fprintf(w, "complete -c rnnbench -n %s %s%s -d %s\n", when, names, follows, quote(firstSentence(f.help)))
		}
	}
}
