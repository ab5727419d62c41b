# SPDX-License-Identifier: MIT
"""Clients that are killed, cut off or deaf, and a full disk, under load: everybody else is served, and nothing stays behind.

MK_FAULTS says how many faults there are (default 40; tests/README.md has the figures of 200). The moments are random; the
seed is printed, and MK_SEED repeats it. The bridge's death alone is in test_bridge_restart.py, virtiofsd's in test_models.py.
"""
import contextlib
import multiprocessing
import os
import random
import re
import signal
import struct
import subprocess
import threading
import time
import unittest

from test_load import KINDS, Stream, run
from test_models import Share
from vm import RUN, VM, Client, Closed, Folder, why_no_share

FAULTS = int(os.environ.get("MK_FAULTS", "40"))
SEED = int(os.environ.get("MK_SEED", str(time.time_ns() % 1000000)))
COUNTERS = ("client_pool_used", "heap_used", "heap_blocks")


CUT_OFF = (Closed, ConnectionError, AssertionError)  # what a client sees when the bridge is killed


def victim(path, start):
    """A client under full load, in a process of its own, until it is killed."""
    with contextlib.suppress(*CUT_OFF), Client(path) as client:
        run([Stream(client, 1 << 40, 32, KINDS[start:] + KINDS[:start])])


def deaf(path):
    """Asks and does not read."""
    with contextlib.suppress(*CUT_OFF), Client(path) as client:
        request = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
        client.send_bytes((struct.pack(">I", len(request)) + request) * 100000)


def cut(path, source):
    """Half a message, and gone."""
    with Client(path, initialize=source.random() < 0.5) as client:
        text = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"infer","arguments":{"prompt":"x"}}}'
        frame = struct.pack(">I", len(text)) + text
        client.send_bytes(frame[:source.randrange(1, len(frame))])


def killed(target, *arguments, after):
    process = multiprocessing.Process(target=target, args=arguments, daemon=True)
    process.start()
    time.sleep(after)
    process.kill()
    process.join()


def details(client):
    return client.tool("health")["details"]


class Worker(threading.Thread):
    """Asks and loads models for as long as it is let, through whatever connection there is. Every answer is checked."""

    def __init__(self, vm, share_gone):
        super().__init__(daemon=True)
        self.vm, self.share_gone, self.stopped = vm, share_gone, threading.Event()
        self.answers = self.loads = self.refused_loads = self.lost = 0
        self.failure = None
        self.start()

    def run(self):
        try:
            while not self.stopped.is_set():
                try:
                    with self.vm.client() as client:
                        while not self.stopped.is_set():
                            self.ask(client)
                except (Closed, ConnectionError):
                    self.lost += 1
        except BaseException as error:  # pylint: disable=broad-except
            self.failure = repr(error)

    def ask(self, client):
        found = client.tool("infer", prompt="What is MCP?")
        assert found["match"] == "What is MCP?", found
        gone = self.share_gone.is_set()
        result = client.request("tools/call", {"name": "load_model", "arguments": {"path": "copy.kv"}})
        if result.get("isError"):
            assert re.search("virtiofsd|does not answer|has failed", result["content"][0]["text"]), result
            self.refused_loads += 1
        else:
            assert not gone, result
            self.loads += 1
        self.answers += 2


class Faults(unittest.TestCase):
    def settle(self, client):
        """The state when this client is alone. Counts questions, not seconds."""
        for _ in range(5000):
            found = details(client)
            if found["connections"]["open"] == 1 and found["requests"]["pending"] == 1:
                return {name: found["memory"][name] for name in COUNTERS}
        self.fail(f"something stays: {found}")

    def test_clients_that_die(self):
        print(f"seed {SEED}, {FAULTS} clients", flush=True)
        source = random.Random(SEED)
        with VM(boot="pvh", memory=64) as vm, vm.client() as witness:
            killed(victim, vm.socket, 0, after=0.5)  # buffers reach their size
            before = self.settle(witness)
            for _ in range(FAULTS):
                kind = source.random()
                if kind < 0.5:
                    killed(victim, vm.socket, source.randrange(len(KINDS)), after=source.uniform(0.02, 0.2))
                elif kind < 0.7:
                    killed(deaf, vm.socket, after=source.uniform(0.02, 0.2))
                else:
                    cut(vm.socket, source)
                self.assertEqual(witness.tool("infer", prompt="What is MCP?")["match"], "What is MCP?")
            after = self.settle(witness)
            for name in COUNTERS:
                self.assertLessEqual(after[name], before[name], name)
            self.assertEqual(details(witness)["connections"]["device_resets"], 0)

    @unittest.skipIf(why_no_share(), why_no_share())
    def test_everything_dies(self):
        """Clients, the bridge's server and, once in the life of a VM, virtiofsd. Then load_model says why it cannot; all else
        goes on."""
        print(f"seed {SEED}, {FAULTS} faults", flush=True)
        source = random.Random(SEED)
        for first in range(0, FAULTS, 20):
            with self.subTest(first=first), Share() as share, VM(boot="pvh", memory=64, models=share) as vm:
                self.kill_in(vm, source, min(20, FAULTS - first))

    def kill_in(self, vm, source, count):
        killed(victim, vm.socket, 0, after=0.5)  # buffers reach their size
        with vm.client() as witness:
            witness.tool("load_model", path="copy.kv")
            before = self.settle(witness)
        share_gone, virtiofsd_dies = threading.Event(), source.randrange(count)
        workers = [Worker(vm, share_gone) for _ in range(3)]
        servers = 0
        for number in range(count):
            time.sleep(source.uniform(0, 0.1))
            if number == virtiofsd_dies:
                os.kill(vm.virtiofsd_pid, signal.SIGKILL)
                share_gone.set()
            elif source.random() < 0.4:
                server = vm.bridge_server_pid()
                os.kill(server, signal.SIGKILL)
                while vm.bridge_server_pid() == server:
                    time.sleep(0.001)
                servers += 1
            else:
                killed(victim, vm.socket, source.randrange(len(KINDS)), after=source.uniform(0.02, 0.2))
            asked = [worker.answers for worker in workers]
            while any(worker.answers < past + 2 and not worker.failure for worker, past in zip(workers, asked)):
                time.sleep(0.001)
        for worker in workers:
            worker.stopped.set()
        for worker in workers:
            worker.join()
            self.assertIsNone(worker.failure)
        with vm.client() as witness:
            after = self.settle(witness)
            self.assertEqual(witness.tool("infer", prompt="What is MCP?")["match"], "What is MCP?")
            found = details(witness)
        print(f"{count} faults, {servers} of them the bridge's server: {sum(worker.answers for worker in workers)} answers, "
              f"{sum(worker.loads for worker in workers)} loads and {sum(worker.refused_loads for worker in workers)} without "
              f"virtiofsd, {sum(worker.lost for worker in workers)} connections lost; {before} before, {after} after", flush=True)
        for name in COUNTERS:
            self.assertLessEqual(after[name], before[name], name)
        self.assertEqual((found["connections"]["device_resets"], found["memory"]["failures"]), (0, 0))

    @unittest.skipIf(why_no_share(), why_no_share())
    def test_a_full_disk_under_the_serial_log(self):
        """The kernel's own memory of the log goes on; QEMU throws the serial port's lines away."""
        with Folder() as folder:
            socket, disk = folder.path / "vm.sock", folder.path / "disk"
            disk.mkdir()
            subprocess.run(["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=8k tmpfs "$1" && shift && exec "$@"', "sh", disk,
                            RUN, "--no-build", "--detach", "--socket", socket, "--serial", disk / "serial", "--append",
                            "log=debug"], env=folder.environment, stdin=subprocess.DEVNULL, check=True, timeout=300)
            with Client(socket) as client:
                for _ in range(200):
                    with Client(socket) as other:
                        other.request("ping")
                lines = client.tool("logs", limit=1000)["lines"]
                self.assertTrue(any("ready in" in line["text"] for line in lines))
                said = sum("connection from" in line["text"] for line in lines)
                self.assertGreater(said * len("[    0.056120] DEBUG service: connection from vsock 2:1073741824\n"), 8192)

    @unittest.skipIf(why_no_share(), why_no_share())
    def test_a_disk_that_is_full_from_the_start(self):
        """Nobody would learn that the kernel is ready: it is refused at once."""
        with Folder() as folder:
            disk = folder.path / "disk"
            disk.mkdir()
            fill = 'mount -t tmpfs -o size=8k tmpfs "$1" && head -c 8192 /dev/zero >"$1/full" && shift && exec "$@"'
            started = subprocess.run(["unshare", "-rm", "sh", "-c", fill, "sh", disk, RUN, "--no-build", "--socket",
                                      folder.path / "vm.sock", "--serial", disk / "serial", "health"],
                                     env=folder.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                     timeout=300, check=False)
            self.assertEqual(started.returncode, 4)
            self.assertIn("cannot write", started.stderr)
            self.assertEqual(folder.runtime_files(), [])

    def test_a_reader_that_stops(self):
        """It gets every answer when it reads again; the others do not wait for it."""
        count = 2000
        with VM(boot="pvh", memory=64) as vm, vm.client() as witness, vm.client() as sleeper:
            request = b'{"jsonrpc":"2.0","id":%d,"method":"tools/list"}'
            sender = multiprocessing.Process(target=send_all, args=(sleeper.socket, request, count), daemon=True)
            sender.start()
            for _ in range(300):
                witness.tool("infer", prompt="What is MCP?")
            try:
                for number in range(count):
                    self.assertEqual(sleeper.receive()["id"], number)
            except Closed:
                self.fail("a client that was slow lost its connection")
            sender.join()


def send_all(socket, request, count):
    for number in range(count):
        text = request % number
        socket.sendall(struct.pack(">I", len(text)) + text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
