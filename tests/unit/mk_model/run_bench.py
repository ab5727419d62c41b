#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mk-model run and bench, and what every command does where a file cannot be written.

    run_bench.py MK_MODEL
"""
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else None
PROMPT = ["--prompt-ids", "5,9,17,30,2,28,11"]
VOCABULARY = 320


def limit_files():
    """Files may have 4096 bytes: a disk that is full in the middle. Python ignores SIGXFSZ, and its children do."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.model = self.make("F32")

    def tool(self, *arguments, status=0, **more):
        options = {"input": b"", "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "restore_signals": False, "timeout": 50}
        done = subprocess.run([TOOL, *map(str, arguments)], check=False, **options | more)
        self.assertEqual(done.returncode, status, done.stderr.decode())
        return done

    def error(self, *arguments, **more):
        return self.tool(*arguments, **{"status": 1, **more}).stderr.decode()

    def make(self, kind):
        path = self.folder / f"{kind}.gguf"
        self.tool("make-random", "--arch", "llama", "--shape", f"tiny,vocabulary={VOCABULARY}", "--type", kind, "-o", path)
        return path

    def run_model(self, *options, model=None, n=12):
        """The ids and the logits, as bytes."""
        ids, logits = self.folder / "ids", self.folder / "logits"
        self.tool("run", model or self.model, *PROMPT, "--n", n, "--ignore-end", "--ids", ids, "--logits", logits, *options)
        return ids.read_text(), logits.read_bytes()


class Run(Case):
    def test_files(self):
        ids, logits = self.run_model()
        numbers = list(map(int, ids.splitlines()))
        self.assertEqual(numbers[:7], [5, 9, 17, 30, 2, 28, 11])
        self.assertEqual(len(numbers), 19)
        self.assertEqual(len(logits), 19 * VOCABULARY * 4)
        # Each id is where the row before it is largest.
        for place in range(7, 19):
            row = struct.unpack_from(f"<{VOCABULARY}f", logits, (place - 1) * VOCABULARY * 4)
            self.assertEqual(numbers[place], row.index(max(row)))
        # Fewer tokens are the beginning of the same.
        fewer, rows = self.run_model(n=0)
        self.assertEqual(list(map(int, fewer.split())), numbers[:7])
        self.assertEqual(rows, logits[:len(rows)])

    def test_what_makes_no_difference(self):
        for kind in ("F32", "Q4_0"):
            model = self.make(kind)
            for cache in ("f32", "f16"):
                first = self.run_model("--cache", cache, model=model)
                for options in (["--threads", 3], ["--batch", 1], ["--batch", 3], ["--threads", 2, "--batch", 2]):
                    self.assertEqual(self.run_model("--cache", cache, *options, model=model), first, options)
        self.assertEqual(self.run_model("--cache", "f32"), self.run_model())

    def test_cache(self):
        """16 bits lose some of the logits, and little."""
        _, exact = self.run_model(n=0)
        _, rounded = self.run_model("--cache", "f16", n=0)
        self.assertNotEqual(exact, rounded)
        for a, b in zip(struct.iter_unpack("<f", exact), struct.iter_unpack("<f", rounded)):
            self.assertAlmostEqual(a[0], b[0], delta=0.05)

    def test_draws(self):
        drawn = [self.run_model("--temperature", "2", "--seed", seed)[0] for seed in (1, 1, 2)]
        self.assertEqual(drawn[0], drawn[1])
        self.assertNotEqual(drawn[0], drawn[2])
        self.assertEqual(self.run_model("--temperature", "0", "--seed", 7), self.run_model())

    def test_prompt(self):
        ids = self.folder / "ids"
        self.tool("run", self.model, "--prompt", "hello", "--n", 0, "--ids", ids)
        words = self.tool("tokenize", self.model, "--whole", input=b"hello").stdout.split()
        self.assertEqual(ids.read_bytes().split(), words)

    def test_prompt_ids(self):
        for ids in ("x", "1,,2", ",1", "1 2", "-1", "+1", "1;2", str(VOCABULARY), "99999999999999999999999", "4294967297"):
            self.assertIn(f"--prompt-ids {ids}: ids below {VOCABULARY}", self.error("run", self.model, "--prompt-ids", ids))
        self.assertIn("0 tokens", self.error("run", self.model, "--prompt-ids", ""))
        self.tool("run", self.model, "--prompt-ids", VOCABULARY - 1, "--n", 1)

    def test_context(self):
        self.assertIn("the context has", self.error("run", self.model, *PROMPT, "--n", 1 << 24))

    def test_usage(self):
        for options in ([], PROMPT + ["--prompt", "both"], PROMPT + ["--cache", "f64"], PROMPT + ["--threads", "0"],
                        PROMPT + ["--batch", "0"], PROMPT + ["--n", "-1"], PROMPT + ["--n", "1x"], PROMPT + ["--seed", ""],
                        PROMPT + ["--temperature", "nan"], PROMPT + ["--temperature", "-1"], PROMPT + ["--temperature", "1x"],
                        PROMPT + ["--nonsense"], PROMPT + ["another.gguf"]):
            self.assertIn("Usage", self.error("run", self.model, *options, status=2))
        self.assertIn("Usage", self.error("run", *PROMPT, status=2))
        self.assertIn(b"--logits", self.tool("run", "--help").stdout)


class Bench(Case):
    def test_json(self):
        done = json.loads(self.tool("bench", self.model, "--prompt-tokens", 5, "--tokens", 3, "--repeat", 2, "--threads", 2,
                                    "--instruction-set", "sse2", "--json").stdout)
        self.assertEqual((done["quantization"], done["instruction_set"], done["threads"]), ("F32 100 %", "sse2", 2))
        self.assertTrue(all(value > 0 for value in done.values() if isinstance(value, float)), done)

    def test_no_prompt(self):
        self.assertIn(b"decode", self.tool("bench", self.model, "--prompt-tokens", 0, "--tokens", 1, "--repeat", 1).stdout)

    def test_usage(self):
        for options in (["--tokens", 0], ["--repeat", 0], ["--threads", "many"], ["--nonsense"], ["another.gguf"]):
            self.assertIn("Usage", self.error("bench", self.model, *options, status=2))
        self.assertIn("Usage", self.error("bench", status=2))
        self.assertIn(b"--repeat", self.tool("bench", "--help").stdout)


class WrongModels(Case):
    def test_files(self):
        head = self.model.read_bytes()
        files = {"empty": (b"", "an empty file"), "text": (b"no model\n" * 9, ""), "cut.gguf": (head[:-1], "cut.gguf")}
        for name, (content, message) in files.items():
            (self.folder / name).write_bytes(content)
            for command in (["run", *PROMPT], ["bench"]):
                self.assertIn(message or name, self.error(*command, self.folder / name))
        for command in (["run", *PROMPT], ["bench"]):
            self.assertIn("not a file", self.error(*command, self.folder))
            self.assertIn("No such file", self.error(*command, self.folder / "absent"))
            self.assertIn("cannot run \"mmx\"", self.error(*command, self.model, "--instruction-set", "mmx"))


class Writing(Case):
    """Every file that is written, to places that do not take it. /dev/full stands behind a link: a tool that removes
    what it should not removes the link alone."""

    def commands(self, out):
        return (["make-random", "--arch", "llama", "-o", out], ["quantize", self.model, out, "Q8_0"],
                ["run", self.model, *PROMPT, "--n", 1, "--ids", out], ["run", self.model, *PROMPT, "--n", 1, "--logits", out])

    def test_full_disk(self):
        full = self.folder / "full"
        full.symlink_to("/dev/full")
        for command in self.commands(full):
            self.assertIn(f"{full}: No space left", self.error(*command))
            self.assertTrue(full.is_symlink(), "a device was removed")

    def test_full_in_the_middle(self):
        out = self.folder / "out"
        for command in self.commands(out):
            if "--ids" in command:  # four bytes each
                command[1] = self.folder / "long.gguf"
                self.tool("make-random", "--arch", "llama", "--shape", "tiny,context=2048", "-o", command[1])
                command += ["--prompt-ids", ",".join(["255"] * 1040)]
            self.assertIn(f"{out}: File too large", self.error(*command, preexec_fn=limit_files))
            self.assertFalse(out.exists(), command[0])

    def test_no_such_folder(self):
        for command in self.commands(self.folder / "absent" / "out"):
            self.assertIn("absent/out: No such file", self.error(*command))

    def test_standard_output(self):
        for command in (["inspect", self.model], ["inspect", self.model, "--json"], ["tokenize", self.model],
                        ["run", self.model, *PROMPT], ["bench", self.model, "--tokens", 1, "--repeat", 1], ["--help"],
                        ["run", "--help"]):
            with open("/dev/full", "wb") as full:
                self.assertIn("standard output: No space left", self.error(*command, stdout=full))


if __name__ == "__main__":
    if TOOL is None:
        sys.exit(__doc__)
    unittest.main()
