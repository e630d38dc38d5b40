"""`troupe completion`: the lines by which a shell learns to complete `troupe`. click writes them; this only asks it to."""

import click
from click.shell_completion import get_completion_class

PROGRAM = "troupe"
VARIABLE = "_TROUPE_COMPLETE"
"""What click looks for in the environment of a call that completes."""
_BEFORE = {"bash": "COMP_WORDBREAKS=${COMP_WORDBREAKS//@}\n"}
"""bash would take `zizou@canary` for three words."""
_HOW = {
    "bash": 'eval "$(troupe completion bash)"    # in ~/.bashrc',
    "zsh": 'eval "$(troupe completion zsh)"    # in ~/.zshrc, below compinit',
    "fish": "troupe completion fish > ~/.config/fish/completions/troupe.fish",
}


@click.command(epilog="\b\n" + "\n".join(_HOW.values()))
@click.argument("shell", type=click.Choice(list(_HOW)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands, options and models."""
    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"This version of click knows no completion for {shell}.")
    click.echo(_BEFORE.get(shell, "") + found(context.find_root().command, {}, PROGRAM, VARIABLE).source())
