# SPDX-License-Identifier: MIT
"""GGUF models in the machine: the same tokens and numbers as on the host with the same instruction set, for every architecture;
a large one; clients that share it; text while it is made; what is cancelled, or out of range."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

from vm import BUILD, ROOT, VM, why_no_share

MK_MODEL = BUILD / "tools" / "mk-model"
SHARED = pathlib.Path(os.environ.get("MK_SHARED", ROOT / ".." / "shared")) / "models" / "stories260K"
ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma3", "phi3")
PROMPT = "Once upon a time"


def mk_model(*arguments):
    done = subprocess.run([str(MK_MODEL), *map(str, arguments)], capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise AssertionError(f"mk-model {arguments}: {done.stderr}")
    return done.stdout


class Models:
    """A folder to share: small random models, and stories260K where it is."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="mk-share-"))
        self.path.chmod(0o755)
        for architecture in ARCHITECTURES:
            mk_model("make-random", "--arch", architecture, "--seed", "5", "-o", self.path / f"{architecture}.gguf")
        if SHARED.is_dir():
            for name in ("stories260K.gguf", "stories260K-Q8_0.gguf"):
                shutil.copyfile(SHARED / name, self.path / name)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path)


def on_host(path, instructions, count, prompt=PROMPT):
    """The ids of the prompt and of what follows it, on the host."""
    with tempfile.TemporaryDirectory() as folder:
        ids = pathlib.Path(folder) / "ids"
        mk_model("run", path, "--prompt", prompt, "--n", count, "--cache", "f16", "--instruction-set", instructions,
                 "--temperature", "0", "--ids", ids)
        return [int(line) for line in ids.read_text().split()]


@unittest.skipIf(why_no_share(), why_no_share() or "")
class Generate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.models = Models()
        cls.folder = cls.models.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.models.__exit__(None, None, None)

    def compare(self, client, name, instructions):
        client.tool("load_model", path=name)
        answer = client.tool("infer", prompt=PROMPT, raw=True, max_tokens=24, logprobs=1)
        self.assertEqual(answer["instruction_set"], instructions)
        prompt = client.tool("tokenize", text=PROMPT)["ids"]
        ids = prompt + [token["id"] for token in answer["logprobs"]]
        self.assertEqual(ids, on_host(self.folder / name, instructions, 24)[:len(ids)], name)
        self.assertGreater(len(ids), len(prompt))
        again = client.tool("infer", prompt=PROMPT, raw=True, max_tokens=24, logprobs=1)
        self.assertEqual((again["text"], again["logprobs"]), (answer["text"], answer["logprobs"]))
        return answer

    def test_as_on_the_host(self):
        for instructions in ("sse2", "avx2"):
            with VM(boot="pvh", models=self.folder, append=f"instructions={instructions}") as machine, machine.client() as client:
                for architecture in ARCHITECTURES:
                    self.compare(client, f"{architecture}.gguf", instructions)
                    metadata = client.tool("metadata")
                    self.assertEqual(metadata["arch"], architecture)
                if not SHARED.is_dir():
                    print(f"stories260K is not tried: there is no {SHARED} (MK_SHARED)")
                    continue
                for name in ("stories260K.gguf", "stories260K-Q8_0.gguf"):
                    answer = self.compare(client, name, instructions)
                    self.assertIn("Lily", answer["text"])

    def test_parameters(self):
        with VM(boot="pvh", models=self.folder) as machine, machine.client() as client:
            client.tool("load_model", path="llama.gguf")
            drawn = {client.tool("infer", prompt="a", temperature=2, max_tokens=12, seed=seed)["text"] for seed in (1, 2, 1)}
            self.assertEqual(len(drawn), 2)
            chat = client.tool("infer", messages=[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}], max_tokens=2)
            self.assertEqual(chat["template"], "none")
            first = client.tool("infer", prompt="a", max_tokens=8)
            if len(first["text"]) > 2:
                stop = first["text"][1:3]
                self.assertEqual(client.tool("infer", prompt="a", max_tokens=8, stop=stop)["text"], first["text"][:1])
            hurried = client.tool("infer", prompt="a", max_tokens=65536, max_ms=50)
            self.assertIn(hurried["finish_reason"], ("time", "length", "stop"))
            embedding = client.tool("embed", text="a")["embedding"]
            self.assertAlmostEqual(sum(x * x for x in embedding), 1, places=4)
            for arguments in ({}, {"prompt": "a", "messages": [{"role": "user", "content": "b"}]}, {"prompt": ""},
                              {"prompt": "a", "top_k": -1}, {"prompt": "a", "stop": [""]}, {"messages": []}):
                result = client.request("tools/call", {"name": "infer", "arguments": arguments})
                self.assertTrue(result.get("isError"), arguments)

    def test_text_while_it_is_made_and_cancellation(self):
        with VM(boot="pvh", models=self.folder) as machine, machine.client() as client:
            client.tool("load_model", path="llama.gguf")
            call = client.start("tools/call", {"name": "infer", "_meta": {"progressToken": "p"},
                                               "arguments": {"prompt": "a", "max_tokens": 16}})
            text = ""
            while True:
                message = client.receive()
                if message.get("id") == call:
                    break
                self.assertEqual(message["params"]["progressToken"], "p")
                text += message["params"]["message"]
            self.assertEqual(text, message["result"]["structuredContent"]["text"])
            self.assertNotEqual(text, "")
            # A long one is stopped by its client, and leaves nothing behind.
            before = client.tool("health")["details"]["memory"]["heap_blocks"]
            call = client.start("tools/call", {"name": "infer", "arguments": {"prompt": "a b c " * 50, "max_tokens": 65536}})
            client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": call}})
            start = time.monotonic()
            while client.tool("health")["details"]["memory"]["heap_blocks"] > before and time.monotonic() - start < 20:
                time.sleep(0.05)
            self.assertLessEqual(client.tool("health")["details"]["memory"]["heap_blocks"], before)

    def test_clients_share_and_models_change_meanwhile(self):
        with VM(boot="pvh", models=self.folder) as machine, machine.client() as one, machine.client() as other:
            one.tool("load_model", path="llama.gguf")
            alone = one.tool("infer", prompt="a", max_tokens=48)["text"]
            first = one.start("tools/call", {"name": "infer", "arguments": {"prompt": "a", "max_tokens": 48}})
            second = other.start("tools/call", {"name": "infer", "arguments": {"prompt": "a", "max_tokens": 48}})
            with machine.client() as third:
                third.tool("load_model", path="qwen2.gguf")
                self.assertEqual(third.tool("metadata")["arch"], "qwen2")
            for client, call in ((one, first), (other, second)):
                self.assertEqual(client.answer(call)["result"]["structuredContent"]["text"], alone)

    def test_what_does_not_load_leaves_the_old_one(self):
        with VM(boot="pvh", models=self.folder) as machine, machine.client() as client:
            client.tool("load_model", path="llama.gguf")
            good = (self.folder / "llama.gguf").read_bytes()
            for name, data, word in (("cut.gguf", good[:-1], "byte"), ("version.gguf", good[:4] + b"\x09" + good[5:], "version"),
                                     ("empty.gguf", b"GGUF", "")):
                (self.folder / name).write_bytes(data)
                result = client.request("tools/call", {"name": "load_model", "arguments": {"path": name}})
                self.assertTrue(result.get("isError"), name)
                self.assertIn(word, result["content"][0]["text"])
                self.assertIn(name, result["content"][0]["text"])
                (self.folder / name).unlink()
            self.assertEqual(client.tool("metadata")["arch"], "llama")
            self.assertNotEqual(client.tool("infer", prompt="a", max_tokens=2)["tokens"], 0)

    def test_a_large_one(self):
        """The shape of SmolLM2-135M in Q8_0, about 145 MB; and a machine that is too small for it."""
        path = self.folder / "large.gguf"
        mk_model("make-random", "--arch", "llama", "--shape", "smollm2-135m", "--type", "Q8_0", "--seed", "1", "-o", path)
        size = path.stat().st_size
        self.assertGreater(size, 130_000_000)
        with VM(boot="pvh", models=self.folder, memory=64) as machine, machine.client() as client:
            result = client.request("tools/call", {"name": "load_model", "arguments": {"path": "large.gguf"}})
            self.assertTrue(result["isError"])
            self.assertIn("MiB", result["content"][0]["text"])
        with VM(boot="pvh", models=self.folder, memory=512) as machine, machine.client() as client:
            before = client.tool("health")["details"]["memory"]
            start = time.monotonic()
            client.tool("load_model", path="large.gguf")
            loaded = time.monotonic()
            answer = client.tool("infer", prompt="a", raw=True, max_tokens=3, logprobs=1)
            taken = before["free"] - client.tool("health")["details"]["memory"]["free"]
            print(f"{size / 1e6:.0f} MB: loaded in {loaded - start:.1f} s, first token {answer['first_token_ms']:.0f} ms, "
                  f"{answer.get('tokens_per_second', 0):.2f} tokens/s, {taken / 1e6:.0f} MB taken")
            self.assertLess(taken, size * 1.15)  # never a second copy
            prompt = client.tool("tokenize", text="a")["ids"]
            ids = prompt + [token["id"] for token in answer["logprobs"]]
            self.assertEqual(ids, on_host(path, answer["instruction_set"], 3, "a")[:len(ids)])


if __name__ == "__main__":
    unittest.main()
