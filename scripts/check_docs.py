#!/usr/bin/env python3
"""Runs every ```console block of a document and compares what it prints, word for word.

Usage: check_docs.py FUSEBOX DOCUMENT...
A block's lines that start with "$ " are commands; the lines up to the next command are what standard output and standard
error together must be. All blocks of one document share one shell, which starts in a folder with the packed images
(hello.wapp, ...) and with the documented command on its PATH. A block of another kind with a file name after its language (```json policy.json) writes that file.
"""
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

FENCE = re.compile(r"^```(\w+)?[ ]*(\S+)?[ ]*$")
MARK = "--end-of-command--"


def blocks(text):
    """Yields (language, file name or None, lines) of each fenced block."""
    language = name = None
    lines = None
    for line in text.splitlines():
        fence = FENCE.match(line)
        if lines is None and fence and fence.group(1):
            language, name, lines = fence.group(1), fence.group(2), []
        elif lines is not None and line.startswith("```"):
            yield language, name, lines
            lines = None
        elif lines is not None:
            lines.append(line)


def commands(lines):
    """Yields (command, expected lines); a command goes on while its lines end in a backslash."""
    command, expected, open_command = None, [], False
    for line in lines:
        if open_command:
            command += "\n" + line
            open_command = line.endswith("\\")
        elif line.startswith("$ "):
            if command is not None:
                yield command, expected
            command, expected, open_command = line[2:], [], line.endswith("\\")
        else:
            expected.append(line)
    if command is not None:
        yield command, expected


def run_all(script, folder, path, source):
    environment = dict(os.environ, PATH=f"{path}:{os.environ['PATH']}", HOME=folder, XDG_CACHE_HOME=f"{folder}/.cache",
                       XDG_DATA_HOME=f"{folder}/.data", SOURCE=str(source), LC_ALL="C.UTF-8")
    done = subprocess.run(["bash", "-s"], input=script, text=True, cwd=folder, env=environment, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.split(MARK + "\n")


def check(document, fusebox, source):
    script, expectations = [], []
    for language, name, lines in blocks(document.read_text()):
        if name and language != "console":
            script.append(f"cat > {name} <<'END_OF_FILE'\n" + "\n".join(lines) + "\nEND_OF_FILE")
        if language == "console":
            for command, expected in commands(lines):
                # The status the next command sees as $? is this one's, not that of the mark.
                script.append(f"{command}\n_status=$?; printf '%s\\n' '{MARK}'; (exit $_status)")
                expectations.append((command, expected))
    with tempfile.TemporaryDirectory(prefix="fusebox-docs-") as folder:
        for image in (fusebox.parent / "images").glob("*.wapp"):
            os.symlink(image, pathlib.Path(folder) / image.name)
        printed = run_all("\n".join(script) + "\n", folder, str(fusebox.parent), source)
    wrong = 0
    for (command, expected), actual in zip(expectations, printed + [""] * len(expectations)):
        actual_lines = actual.splitlines()
        if actual_lines != expected:
            wrong += 1
            print(f"{document.name}: $ {command}")
            print("\n".join(difflib.unified_diff(expected, actual_lines, "documented", "printed", lineterm="")))
    return len(expectations) - wrong, wrong


def main():
    fusebox = pathlib.Path(sys.argv[1]).resolve()
    source = pathlib.Path(__file__).resolve().parent.parent
    passed = failed = 0
    for name in sys.argv[2:]:
        good, bad = check(pathlib.Path(name), fusebox, source)
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
