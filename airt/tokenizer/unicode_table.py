#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints unicode_table.c: which classes the characters have, from Debian's package unicode-data.

Usage: unicode_table.py                prints it
       unicode_table.py --check FILE   compares; exit status 77 where the package is missing
"""
import pathlib
import re
import sys

FOLDER = pathlib.Path("/usr/share/unicode")

CLASSES = {"Lu": "UPPER", "Lt": "UPPER", "Ll": "LOWER", "Lm": "LETTER", "Lo": "LETTER",
           "Mn": "MARK", "Mc": "MARK", "Me": "MARK", "Nd": "NUMBER", "Nl": "NUMBER", "No": "NUMBER"}
ORDER = ["OTHER", "UPPER", "LOWER", "LETTER", "MARK", "NUMBER", "SPACE"]  # as in unicode.h


def categories(folder):
    """The class of every character: general categories (UAX #44, 5.7.1), then the property White_Space."""
    classes = ["OTHER"] * 0x110000
    first = None
    for line in (folder / "UnicodeData.txt").read_text().splitlines():
        number, name, category = line.split(";")[:3]
        last = int(number, 16)
        if name.endswith(", First>"):
            first = last
            continue
        for character in range(last if first is None else first, last + 1):
            classes[character] = CLASSES.get(category, "OTHER")
        first = None
    for line in (folder / "PropList.txt").read_text().splitlines():
        match = re.match(r"([0-9A-F]+)(?:\.\.([0-9A-F]+))?\s*; White_Space\b", line)
        if match:
            for character in range(int(match[1], 16), int(match[2] or match[1], 16) + 1):
                classes[character] = "SPACE"
    return classes


def table():
    version = re.match(r"# PropList-([0-9.]+)\.txt", (FOLDER / "PropList.txt").read_text())[1]
    classes = categories(FOLDER)
    texts = [f"0x{character << 3 | ORDER.index(classes[character]):06x}," for character in range(len(classes))
             if character == 0 or classes[character] != classes[character - 1]]
    return "\n".join([
        "/* SPDX-License-Identifier: MIT",
        " *",
        f" * Made by unicode_table.py from Unicode {version}; not to be edited.",
        " */",
        '#include "unicode.h"',
        "",
        "/* clang-format off */",
        f"_Static_assert(UNICODE_RUNS == {len(texts)}, \"as many as there are\");",
        "const uint32_t unicode_runs[UNICODE_RUNS] = {",
        *("    " + " ".join(texts[at:at + 10]) for at in range(0, len(texts), 10)),
        "};",
        "/* clang-format on */",
        ""])


def main():
    if not (FOLDER / "UnicodeData.txt").exists():
        print("skipped: Debian's package unicode-data is not installed (tools/setup --dev installs it)")
        sys.exit(77)
    if sys.argv[1:2] != ["--check"]:
        print(table(), end="")
    elif pathlib.Path(sys.argv[2]).read_text(encoding="ascii") != table():
        sys.exit(f"{sys.argv[2]}: not what unicode_table.py makes of {FOLDER}")


main()
