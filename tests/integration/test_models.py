# SPDX-License-Identifier: MIT
"""Models from the host's folder: what loads, what does not, and what becomes of the old model."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from vm import GUIDE, RUN, TIMEOUT, VM, Folder, why_no_share

QUESTION = "What is a unikernel?"
MANY = 1000
BIG_SIZE = 200_000_000
PATIENCE = 10  # seconds that the kernel waits for the host's answer


def record(question, answer):
    """One record of a binary dictionary."""
    return bytes([len(question)]) + question + bytes([len(answer)]) + answer


def write_big(path):
    """A text dictionary of BIG_SIZE bytes with few questions, whose last one is returned."""
    answer = "\n".join(["x" * 79] * 800)
    with open(path, "w", encoding="ascii") as file:
        file.write("# microkernelia dictionary\nName: big\n")
        number = 0
        while file.tell() < BIG_SIZE:
            number += 1
            file.write(f"\nQ: question number {number}\nA: {answer}\n")
    return f"question number {number}"


class Share:
    """A folder to share."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="mk-share-"))
        self.path.chmod(0o755)
        (self.path / "sub" / "deep").mkdir(parents=True)
        shutil.copy(GUIDE, self.path / "copy.kv")
        shutil.copy(GUIDE, self.path / "sub" / "deep" / "nested.kv")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path)


def load(client, path):
    """The text of load_model's error; None when it loads."""
    result = client.request("tools/call", {"name": "load_model", "arguments": {"path": path}})
    return result["content"][0]["text"] if result.get("isError") else None


def listing(client):
    return {model["path"]: model for model in client.tool("metadata")["models"]}


class Models(unittest.TestCase):
    def expect_old_model(self, client):
        self.assertTrue(client.tool("infer", prompt=QUESTION)["matched"])

    def test_what_loads_and_what_does_not(self):
        with Share() as share:
            good = record(b"one", b"1") + record(b"two", b"2")
            (share / "binary.kv").write_bytes(good)
            (share / "empty.kv").write_bytes(b"")
            (share / "truncated.kv").write_bytes(good[:-1])
            (share / "garbage.kv").write_bytes(bytes(range(255, 0, -1)) * 100)
            (share / "unreadable-\udcff.kv").write_bytes(good)
            (share / "near.kv").symlink_to("sub/deep/nested.kv")
            (share / "out.kv").symlink_to("/etc/passwd")
            (share / "up.kv").symlink_to("../../etc/passwd")
            (share / "loop.kv").symlink_to("loop.kv")
            os.mkfifo(share / "pipe.kv")
            with open(share / "huge.kv", "wb") as file:
                file.truncate(1 << 30)
            with VM(boot="pvh", memory=64, models=share) as vm, vm.client() as client:
                models = listing(client)
                self.assertEqual((models["binary.kv"]["size"], models["binary.kv"]["from"]), (len(good), "share"))
                self.assertEqual(models["guide.kv"]["from"], "boot module")
                for path in ("copy.kv", "sub/deep/nested.kv", "/sub/deep/nested.kv", "near.kv", "guide.kv"):
                    self.assertIsNone(load(client, path), path)
                    self.expect_old_model(client)
                for path, cause in (("missing.kv", "no such file"), ("sub/missing/x.kv", "no such file"),
                                    ("copy.kv/x", "no directory"), ("sub", "directory"), ("", "directory"),
                                    ("empty.kv", "empty"), ("truncated.kv", "answer of 1 bytes, 0 left"),
                                    ("garbage.kv", "garbage.kv: "), ("huge.kv", "memory"), ("pipe.kv", "regular file"),
                                    ("../etc/passwd", r"'\.\.'"), ("sub/../copy.kv", r"'\.\.'"), ("sub//deep", "empty names"),
                                    ("x" * 5000, "longer than 4095"), ("x" * 300, "too long"),
                                    ("out.kv", "link"), ("up.kv", "link"), ("loop.kv", "links")):
                    with self.subTest(path=path[:40]):
                        self.assertRegex(load(client, path) or "(it loads)", cause)
                        self.expect_old_model(client)
                self.assertIsNone(load(client, "binary.kv"))
                self.assertEqual(client.tool("infer", prompt="two")["text"], "2")

    def test_guest_cannot_write(self):
        """What virtiofsd sees as its root, a guest sees: it is read-only, also for root."""
        with Share() as share, VM(boot="pvh", models=share) as vm:
            seen = pathlib.Path(f"/proc/{vm.virtiofsd_pid}/root")
            self.assertEqual((seen / "copy.kv").read_bytes(), GUIDE.read_bytes())
            self.assertFalse((seen / "etc").exists())
            for attempt in (lambda: (seen / "new").touch(), lambda: os.truncate(seen / "copy.kv", 0),
                            lambda: (seen / "copy.kv").unlink(), lambda: (seen / "sub" / "new").mkdir(),
                            lambda: os.chmod(seen / "copy.kv", 0o777)):
                with self.assertRaisesRegex(OSError, "Read-only"):
                    attempt()
            (share / "host").touch()  # it is not the folder itself that refuses

    def test_pings_while_a_big_model_is_read(self):
        """virtiofsd runs for two milliseconds at a time; in between, the kernel has nothing to do but to answer."""
        with Share() as share:
            last_question = write_big(share / "big.kv")
            with VM(boot="pvh", memory=512, models=share) as vm, vm.client() as loader, vm.client() as client:
                answered = 0
                for attempt in range(1, 4):  # a busy host may let it read 64 MiB before it stops it again
                    os.kill(vm.virtiofsd_pid, signal.SIGSTOP)
                    call = loader.start("tools/call", {"name": "load_model", "arguments": {"path": "big.kv"}})
                    while vm.serial().count("128 of 190 MiB") < attempt:
                        reading = vm.serial().count("64 of 190 MiB") == attempt
                        client.request("ping")
                        answered += reading
                        os.kill(vm.virtiofsd_pid, signal.SIGCONT)
                        time.sleep(0.002)
                        os.kill(vm.virtiofsd_pid, signal.SIGSTOP)
                    os.kill(vm.virtiofsd_pid, signal.SIGCONT)
                    self.assertFalse(loader.answer(call)["result"].get("isError"))
                    if answered > 0:
                        break
                self.assertGreater(answered, 0)
                answer = client.tool("infer", prompt=last_question)
                self.assertEqual((answer["model"], len(answer["text"])), ("big", 80 * 800 - 1))

    def test_many_loads(self):
        """Memory is where it was after 1,000 loads, half of which fail."""
        with Share() as share:
            (share / "garbage.kv").write_bytes(b"\0" * 100_000)
            with VM(boot="pvh", memory=32, models=share) as vm, vm.client() as client:
                def some(count):
                    for number in range(count):
                        path, good = (("copy.kv", True), ("missing.kv", False), ("near.kv", False), ("sub", False),
                                      ("sub/deep/nested.kv", True), ("copy.kv", True), ("garbage.kv", False),
                                      ("copy.kv", True))[number % 8]
                        self.assertEqual(load(client, path) is None, good, path)

                def memory():
                    details = client.tool("health")["details"]["memory"]
                    return details["heap_used"], details["heap_blocks"], details["free"]

                some(16)
                *used_before, free_before = memory()
                some(MANY)
                *used, free = memory()
                self.assertEqual(used, used_before)
                # The heap keeps a few empty pages at hand; a page for each load would be 4 MiB.
                self.assertLess(abs(free - free_before), 64 << 10)

    def test_virtiofsd_ends(self):
        """QEMU does not connect to another one: the share is gone, and the VM serves with the model that it has."""
        with Share() as share, VM(boot="pvh", models=share) as vm, vm.client() as client, vm.client() as other:
            self.assertIsNone(load(client, "copy.kv"))
            os.kill(vm.virtiofsd_pid, signal.SIGKILL)
            call = client.start("tools/call", {"name": "load_model", "arguments": {"path": "copy.kv"}})
            other.request("ping")
            result = client.answer(call)["result"]
            self.assertTrue(result["isError"])
            self.assertRegex(result["content"][0]["text"], "the host does not answer|the share has failed")
            self.expect_old_model(client)
            for _ in range(2):
                self.assertIn("virtiofsd", load(client, "copy.kv"))
                self.expect_old_model(client)
            self.assertNotIn("copy.kv", listing(client))
            self.assertIsNone(load(client, "guide.kv"))  # boot modules load as before
            # Who loads again and again does not make the others wait for a share that is gone, each time.
            tried = vm.serial().count("the virtio-fs device does not start")
            for _ in range(100):
                self.assertIn("virtiofsd", load(client, "copy.kv"))
            self.assertLess(vm.serial().count("the virtio-fs device does not start") - tried, 10)

    def test_virtiofsd_ends_in_the_middle(self):
        with Share() as share:
            write_big(share / "big.kv")
            with VM(boot="pvh", memory=512, models=share) as vm, vm.client() as client:
                os.kill(vm.virtiofsd_pid, signal.SIGSTOP)
                call = client.start("tools/call", {"name": "load_model", "arguments": {"path": "big.kv"}})
                while "MiB read" not in vm.serial():
                    os.kill(vm.virtiofsd_pid, signal.SIGCONT)
                    time.sleep(0.002)
                    os.kill(vm.virtiofsd_pid, signal.SIGSTOP)
                os.kill(vm.virtiofsd_pid, signal.SIGKILL)
                result = client.answer(call)["result"]
                self.assertTrue(result["isError"])
                self.assertRegex(result["content"][0]["text"], "big.kv.*(does not answer|has failed)")
                self.expect_old_model(client)

    def test_slow_host(self):
        """A host that is silent for a while is waited for."""
        with Share() as share, VM(boot="pvh", models=share) as vm, vm.client() as client:
            os.kill(vm.virtiofsd_pid, signal.SIGSTOP)
            call = client.start("tools/call", {"name": "load_model", "arguments": {"path": "copy.kv"}})
            time.sleep(PATIENCE / 5)
            os.kill(vm.virtiofsd_pid, signal.SIGCONT)
            self.assertFalse(client.answer(call)["result"].get("isError"))

    def test_host_that_comes_back(self):
        """A silence that is too long ends the call; the next one opens the share anew."""
        with Share() as share, VM(boot="pvh", models=share) as vm, vm.client() as client:
            os.kill(vm.virtiofsd_pid, signal.SIGSTOP)
            call = client.start("tools/call", {"name": "load_model", "arguments": {"path": "copy.kv"}})
            while "no answer" not in vm.serial():
                time.sleep(0.1)
            # QEMU may stand still in the reset of the device, until virtiofsd has taken notice of it.
            os.kill(vm.virtiofsd_pid, signal.SIGCONT)
            self.assertIn("does not answer", client.answer(call)["result"]["content"][0]["text"])
            self.expect_old_model(client)
            for _ in range(3):
                self.assertIsNone(load(client, "copy.kv"))

    # tools/run

    def ask(self, *arguments, prefix=(), **environment):
        with Folder() as folder:
            if prefix:
                os.chmod(folder.path, 0o755)
                os.chown(folder.path / "run", 65534, 65534)
            socket = folder.path / ("run/vm.sock" if prefix else "vm.sock")
            return subprocess.run([*prefix, RUN, "--no-build", "--boot", "pvh", "--socket", socket, *arguments],
                                  env={**folder.environment, **environment}, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, check=False, timeout=2 * TIMEOUT)

    def test_default_share(self):
        with VM(boot="pvh") as vm, vm.client() as client:
            self.assertEqual({path.name for path in GUIDE.parent.iterdir() if path.is_file()},
                             {model["path"] for model in client.tool("metadata")["models"] if model["from"] == "share"})

    def test_no_share(self):
        with VM(boot="pvh", models="none") as vm, vm.client() as client:
            self.assertIsNone(vm.virtiofsd_pid)
            self.assertEqual(list(listing(client)), ["guide.kv"])
            self.assertIn("no share", load(client, "copy.kv"))

    def test_bad_folder(self):
        done = self.ask("--models", "/no/such/folder", "health")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--models", done.stderr)

    def test_namespaces_are_forbidden(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "unshare").symlink_to("/bin/false")
            path = f"{folder}:{os.environ['PATH']}"
            done = self.ask("infer", QUESTION, PATH=path)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stderr, "no share of models.*namespaces are not allowed")
            done = self.ask("--models", folder, "infer", QUESTION, PATH=path)
            self.assertEqual(done.returncode, 4)
            self.assertRegex(done.stderr, "cannot share.*namespaces are not allowed")

    @unittest.skipUnless(os.getuid() == 0, "is an ordinary user already")
    def test_as_an_ordinary_user(self):
        with Share() as share:
            done = self.ask("--models", share, "load-model", "copy.kv",
                            prefix=("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("loaded", done.stdout)


if __name__ == "__main__":
    reason = why_no_share()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
