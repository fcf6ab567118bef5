"""The command line: ``workbench COMMAND``, as `workbench.commands` lists them.

Each command is a function; tyro makes its flags from the signature, and from the model of its settings. torch is imported
by the commands that need it, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from contextvars import copy_context

import tyro

from workbench.commands import COMMANDS, GROUPS
from workbench.commands.model_flags import with_flags
from workbench.console import errors_in_words


def build_app(called: str = "") -> tyro.extras.SubcommandApp:
    """All commands, groups as commands of their own (``workbench runs list``); the one ``called`` with all its flags."""
    app = tyro.extras.SubcommandApp()
    for name, command in COMMANDS.items():
        if isinstance(command, dict):
            group = tyro.extras.SubcommandApp()
            for inner, function in command.items():
                group.command(name=inner)(function)
            app.command(group, name=name, help=GROUPS[name])
        else:
            app.command(name=name)(with_flags(command) if name == called else command)
    return app


def main(args: list[str] | None = None) -> None:
    """Entry point of the ``workbench`` command."""
    with errors_in_words():
        try:
            words = sys.argv[1:] if args is None else args
            # In a context of its own: what one command sets for itself (`KEEP`) must not reach the next one in this process.
            copy_context().run(
                build_app(words[0] if words else "").cli,
                prog="workbench",
                description="Steer flow policies with a critic, and see what it does.",
                args=words,
                config=(tyro.conf.FlagCreatePairsOff,),
            )
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise SystemExit(130) from None


if __name__ == "__main__":
    main()
