#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How large a server with tools alone is, how much memory it takes, and what each feature adds: the figures of the library's
README.

Usage: size.py PROGRAM tools=LINKED FUNCTION=LINKED... PROGRAM is smallest.c on the host; each LINKED is the same linked with
the kernel flavour, only for its size, and with that function. More than 64 KiB of code with tools alone is a failure, and so
is a function that adds nothing: it is no feature of its own, or it is in every server."""
import subprocess
import sys

LIMIT = 64 * 1024


def sizes(linked):
    """(bytes of code, bytes of constants)"""
    sections = {}
    for line in subprocess.run(["size", "-A", linked], check=True, capture_output=True, text=True).stdout.splitlines():
        words = line.split()
        if len(words) == 3 and words[0].startswith("."):
            sections[words[0]] = int(words[1])
    return sections[".text"], sum(size for name, size in sections.items() if name.startswith((".rodata", ".data")))


program, tools, *features = sys.argv[1:]
print(subprocess.run([program], check=True, capture_output=True, text=True).stdout, end="")
code, constants = sizes(tools.removeprefix("tools="))
print(f"code: {code} bytes of {LIMIT}; constants: {constants} bytes")
failed = code > LIMIT
for feature in features:
    function, linked = feature.split("=", maxsplit=1)
    more_code, more_constants = (a - b for a, b in zip(sizes(linked), (code, constants)))
    print(f"with {function}: {more_code} bytes of code and {more_constants} of constants more")
    failed |= more_code <= 0
sys.exit(failed)
