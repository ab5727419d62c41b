# SPDX-License-Identifier: MIT
"""The five tools by every way in, in one table: how the guest boots, what carries its messages, where its model lies.

Each cell is a VM as tools/run starts it for anybody, in which all five tools are called and their answers looked at. The
model is one that only the place named in the cell can supply. The table has the seconds until the kernel served, and until
the tools had answered, or why a way does not exist here.
"""
import pathlib
import tempfile
import time
import unittest

from vm import OVMF, VM, why_no_share

BOOTS = {"iso": {"boot": "iso"}, "uefi": {"boot": "uefi"}, "pvh": {"boot": "pvh"},
         "microvm": {"machine": "microvm", "boot": "pvh"}}
# The options, and what the kernel says of it. (The vsock of the host's own kernel: tests/nested.)
TRANSPORTS = {"vsock": ({"transport": "bridge"}, "listening on vsock"),
              "console": ({"transport": "console"}, "listening on the console port")}
PLACES = ("share", "boot module")
MEMORY = 64  # MiB; OVMF itself does not start in 48
TOOLS = {"infer", "health", "metadata", "load_model", "logs", "tokenize", "embed"}
NO_SHARE = why_no_share()


def why_not(boot, place):
    """Why this machine lacks the way; "" where it has it."""
    if boot == "uefi" and not OVMF.exists():
        return f"{OVMF} is missing (Debian: ovmf)"
    if place == "share" and NO_SHARE:
        return f"no folder can be shared: {NO_SHARE}"
    return ""


def print_table(cells):
    """The cells by (boot, transport, place): seconds, or a reason."""
    reasons = []
    columns = [(transport, place) for transport in TRANSPORTS for place in PLACES]
    print("\n" + (" " * 10 + "".join(f"{transport + ', ' + place:<24}" for transport, place in columns)).rstrip())
    for boot in BOOTS:
        line = f"{boot:<10}"
        for column in columns:
            cell = cells[(boot, *column)]
            if isinstance(cell, str):
                if cell not in reasons:
                    reasons.append(cell)
                cell = f"[{reasons.index(cell) + 1}]"
            else:
                cell = "ok {:5.2f} {:5.2f} s".format(*cell)
            line += f"{cell:<24}"
        print(line.rstrip())
    for number, reason in enumerate(reasons, 1):
        print(f"[{number}] {reason}")
    print("(seconds until it served, and until all five tools had answered)", flush=True)


class Ways(unittest.TestCase):
    maxDiff = None

    def call_the_five(self, client, boot, transport, place, model):
        self.assertEqual({tool["name"] for tool in client.request("tools/list")["tools"]}, TOOLS)

        loaded = client.tool("load_model", path=model.name)
        self.assertEqual((loaded["status"], loaded["path"], loaded["entries"]), ("loaded", model.name, 1))

        answer = client.tool("infer", prompt="who are you")
        self.assertEqual((answer["text"], answer["model"], answer["matched"]),
                         (f"I come from the {place}.", f"of the {place}", True))

        health = client.tool("health")
        self.assertEqual((health["status"], health["details"]["requests"]["pending"]), ("ok", 1))

        metadata = client.tool("metadata")
        self.assertEqual(metadata["model_name"], f"of the {place}")
        self.assertEqual(metadata["build"]["boot"], "pvh" if BOOTS[boot]["boot"] == "pvh" else "multiboot2")
        self.assertIn((model.name, model.stat().st_size, place),
                      [(entry["path"], entry["size"], entry["from"]) for entry in metadata["models"]])

        lines = [line["text"] for line in client.tool("logs")["lines"]]
        said = [f"'{model.name}' loaded", TRANSPORTS[transport][1]]
        if place == "share":
            said.append(f"{model.stat().st_size} bytes of '{model.name}' read in")
        for start in said:
            self.assertTrue(any(text.startswith(start) for text in lines), (start, lines))

    def cell(self, boot, transport, place):
        with tempfile.TemporaryDirectory(prefix="mk-") as name:
            share = pathlib.Path(name)
            share.chmod(0o755)
            model = share / "who.kv"
            model.write_text(f"# microkernelia dictionary\nName: of the {place}\n"
                             f"Q: Who are you?\nA: I come from the {place}.\n", encoding="ascii")
            source = {"models": share} if place == "share" else {"models": "none", "module": model}
            start = time.monotonic()
            with VM(memory=MEMORY, **BOOTS[boot], **TRANSPORTS[transport][0], **source) as vm:
                ready = time.monotonic() - start
                with vm.client() as client:
                    self.call_the_five(client, boot, transport, place, model)
                self.assertEqual("BdsDxe" in vm.serial(), boot == "uefi")  # OVMF's boot device selection
                return ready, time.monotonic() - start

    def test_every_way(self):
        cells = {}
        for boot in BOOTS:
            for transport in TRANSPORTS:
                for place in PLACES:
                    cells[boot, transport, place] = why_not(boot, place) or "FAILED"
                    if cells[boot, transport, place] == "FAILED":
                        with self.subTest(boot=boot, transport=transport, place=place):
                            cells[boot, transport, place] = self.cell(boot, transport, place)
        print_table(cells)


if __name__ == "__main__":
    unittest.main(verbosity=2)
