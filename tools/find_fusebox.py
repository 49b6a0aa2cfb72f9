"""Finds the fusebox command and becomes it. Used by the launchers beside this file."""
import os
import shutil
import sys


def candidates():
    """Where the command may be, in the order that counts."""
    named = os.environ.get("FUSEBOX")
    if named:
        yield named
        return  # whoever names one wants no other
    tree = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    yield os.path.join(tree, "build", "release", "fusebox")
    found = shutil.which("fusebox")
    if found:
        yield found


def run(arguments):
    looked = []
    for command in candidates():
        if os.path.isfile(command) and os.access(command, os.X_OK):
            sys.stdout.flush()
            os.execv(command, [command] + arguments)
        looked.append(command)
    sys.exit(
        "fusebox: the command was not found; looked at "
        + ", ".join(looked + ([] if os.environ.get("FUSEBOX") else ["PATH"]))
        + ". Build it with `make build`, or set FUSEBOX to its path"
    )
