# SPDX-License-Identifier: MIT
"""mcp-cli stdio --boot: a VM of its own, of which nothing is left, whatever ends it.

MK_RESTARTS says how often it is started and ended somehow (200), MK_SEED repeats a run."""
import os
import pathlib
import random
import signal
import time
import unittest

from mcp_host import INITIALIZE, Host, ping, request
from vm import TIMEOUT, Folder, alive, why_no_share

GRACE = 30  # seconds until what was killed must be gone; it takes a fraction of one
NO_SHARE = why_no_share()


class Boot(unittest.TestCase):
    """A VM of its own. Everything that belongs to one is known by its environment or its command line."""

    def setUp(self):
        self.folder = Folder()
        self.addCleanup(self.folder.close)
        self.environment = self.folder.environment

    def host(self, *options, **more):
        return Host(self, "stdio", "--boot", *options, environment=self.environment, **more)

    def processes(self):
        """pid: name of what belongs to this test's folder, mcp-cli and the test itself aside."""
        found = {}
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                known = b"\0".join(words) + b"\0"
                known += (entry / "environ").read_bytes()
            except PermissionError:
                pass  # vsock-bridge hides its memory
            except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
                continue
            if str(self.folder.path).encode() in known and words[0] != b"sh" and alive(int(entry.name)):
                found[int(entry.name)] = pathlib.Path(words[0].decode()).name
        return found

    def left_behind(self):
        return list(self.processes().values()) + self.folder.runtime_files()

    def expect_nothing_left(self):
        deadline = time.monotonic() + GRACE
        while self.left_behind():
            self.assertLess(time.monotonic(), deadline, f"left: {self.left_behind()}")
            time.sleep(0.01)

    def test_one_question(self):
        host = self.host()
        host.send(INITIALIZE, request(1, "tools/call", name="metadata", arguments={}))
        self.assertEqual(host.answer()["id"], 0)
        self.assertEqual(host.answer()["result"]["structuredContent"]["model_name"], "guide")
        self.assertEqual(host.end(), (0, b"", ""))
        self.assertFalse(self.left_behind(), "waited for the end of all that belongs to it")

    @unittest.skipIf(NO_SHARE, NO_SHARE)
    def test_models(self):
        folder = self.folder.path / "models"
        folder.mkdir()
        (folder / "mine.kv").write_text("# microkernelia dictionary\nQ: Whose is it?\nA: Mine.\n")
        host = self.host("--models", folder, "--memory", "32")
        host.send(INITIALIZE, request(1, "tools/call", name="load_model", arguments={"path": "mine.kv"}))
        host.answer()
        self.assertEqual(host.answer()["result"]["structuredContent"]["status"], "loaded")
        host.send(request(2, "tools/call", name="infer", arguments={"prompt": "Whose is it?"}))
        self.assertEqual(host.answer()["result"]["structuredContent"]["text"], "Mine.")
        self.assertEqual(host.end(), (0, b"", ""))
        self.assertFalse(self.left_behind())

    def test_side_by_side(self):
        hosts = [self.host("--memory", "16") for _ in range(4)]
        for host in hosts:
            host.send(ping(1))
        for host in hosts:
            self.assertEqual(host.answer()["id"], 1)
        for host in hosts:
            self.assertEqual(host.end(), (0, b"", ""))
        self.assertFalse(self.left_behind())

    def test_the_vm_dies(self):
        for victim in ("qemu-system-x86_64", "vsock-bridge"):
            with self.subTest(victim=victim):
                host = self.host()
                host.send(ping(1))
                host.answer()
                for pid in [pid for pid, name in self.processes().items() if name == victim]:
                    os.kill(pid, signal.SIGKILL)
                self.assertEqual(host.process.wait(TIMEOUT), 3)
                errors = host.process.stderr.read().decode()
                self.assertIn(f"{'QEMU' if victim.startswith('qemu') else victim} ended with status", errors)
                self.assertIn("the next start makes another one", errors)
                self.assertEqual(host.output.read(), b"")
                self.assertFalse(self.left_behind())

    def test_no_tools_run(self):
        self.environment["MK_RUN"] = "/no/such/run"
        status, output, errors = self.host().end()
        self.assertEqual((status, output), (3, b""))
        self.assertIn("/no/such/run", errors)

    def test_restarts(self):
        """As a host does it, 200 times: the input ends, or a signal comes, at any moment from the first one on. (The VM's memory
        is a memfd: it has no name, and ends with its processes.)"""
        count = int(os.environ.get("MK_RESTARTS", "200"))
        seed = int(os.environ.get("MK_SEED", str(random.randrange(1 << 32))))
        chance = random.Random(seed)
        print(f"MK_SEED={seed}", end=" ", flush=True)
        ends = {}
        for number in range(count):
            how = chance.choice(["end", "end", signal.SIGTERM, signal.SIGKILL, signal.SIGKILL])
            host = self.host("--memory", "16")
            if chance.random() < 0.5:
                host.send(ping(number))
                self.assertEqual(host.answer()["id"], number)
            else:
                time.sleep(chance.random() * 0.25)
            if how == "end":
                self.assertEqual(host.end(), (0, b"", ""))
            else:
                host.process.send_signal(how)
                self.assertEqual(host.process.wait(TIMEOUT), -how)
            host.close()
            ends[str(how)] = ends.get(str(how), 0) + 1
        self.expect_nothing_left()
        print(ends, end=" ", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
