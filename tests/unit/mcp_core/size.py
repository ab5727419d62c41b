#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How large a server with tools alone is, and how much memory it takes: the figures of the library's README.

Usage: size.py PROGRAM LINKED. PROGRAM is smallest.c on the host; LINKED is the same linked with the kernel flavour, and
only for its size. More than 64 KiB of code is a failure."""
import subprocess
import sys

LIMIT = 64 * 1024

program, linked = sys.argv[1:]
print(subprocess.run([program], check=True, capture_output=True, text=True).stdout, end="")
sections = {}
for line in subprocess.run(["size", "-A", linked], check=True, capture_output=True, text=True).stdout.splitlines():
    words = line.split()
    if len(words) == 3 and words[0].startswith("."):
        sections[words[0]] = int(words[1])
constants = sum(size for name, size in sections.items() if name.startswith((".rodata", ".data")))
print(f"code: {sections['.text']} bytes of {LIMIT}; constants: {constants} bytes")
sys.exit(sections[".text"] > LIMIT)
