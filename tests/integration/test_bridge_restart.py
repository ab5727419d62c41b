# SPDX-License-Identifier: MIT
"""The process of vsock-bridge that serves is killed under load: the next one takes over, and the VM serves on.

MK_BRIDGE_KILLS=200 makes it a long run."""
import collections
import os
import pathlib
import random
import re
import signal
import threading
import time
import unittest

from vm import VM, Closed, alive

KILLS = int(os.environ.get("MK_BRIDGE_KILLS", "20"))
WORKERS = 4


def status(pid, name):
    """A line of /proc/PID/status."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split(":", 1)[1].strip()
    raise KeyError(name)


class BridgeRestart(unittest.TestCase):
    def setUp(self):
        self.vm = VM(memory=64)

    def tearDown(self):
        self.vm.close()

    def test_few_rights(self):
        """While a client is served: the sandbox is in place, and every descriptor is one that is needed."""
        with self.vm.client() as client:
            client.tool("health")
            for pid in self.vm.bridge_pid, self.vm.bridge_server_pid():
                self.assertEqual(status(pid, "Seccomp"), "2")
                self.assertEqual(status(pid, "NoNewPrivs"), "1")
            try:
                folder = pathlib.Path(f"/proc/{self.vm.bridge_server_pid()}/fd")
                names = [os.readlink(name) for name in folder.iterdir()]
            except PermissionError:
                print("the descriptors of a process that cannot be dumped are for root to see: not checked")
                return
            kinds = collections.Counter(re.sub(r":\[\d+\]|.*/bridge.log", "", name) for name in names)
            # Its log. The channel to the keeper, two listeners, QEMU, this client. Of each of two queues: kick and call.
            self.assertEqual(kinds, {"/dev/null": 2, "": 1, "socket": 5, "anon_inode:[eventpoll]": 1,
                                     "anon_inode:[eventfd]": kinds["anon_inode:[eventfd]"]})
            self.assertIn(kinds["anon_inode:[eventfd]"], range(4, 7))

    def await_line(self, text, seconds):
        """Whether the serial log says so before long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if text in self.vm.serial():
                return True
            time.sleep(0.2)
        return False

    def test_one_that_stops_is_noticed(self):
        """It takes nothing of what the guest sends: it is told again, then the guest starts its device again, and serves."""
        def flood(client):
            try:
                while True:
                    for request_id in [client.start("ping") for _ in range(50)]:
                        client.answer(request_id)
            except (Closed, OSError):
                ended.set()

        ended = threading.Event()
        pid = self.vm.bridge_server_pid()
        with self.vm.client() as client:
            client.socket.settimeout(600)
            threading.Thread(target=flood, args=(client,), daemon=True).start()
            try:
                for _ in range(10):  # at the moment when it stops nothing may be on the way
                    time.sleep(0.2)
                    os.kill(pid, signal.SIGSTOP)
                    if self.await_line("has sent nothing for 10 s: telling it again", 30):
                        break
                    os.kill(pid, signal.SIGCONT)
                self.assertTrue(self.await_line("sends nothing any more: starting it again", 300))
            finally:
                os.kill(pid, signal.SIGCONT)
            self.assertTrue(ended.wait(60), "the client does not learn that its connection is gone")
        for _ in range(100):  # the guest starts its device after a second
            try:
                with self.vm.client() as client:
                    counts = client.tool("health")["details"]["connections"]
                break
            except (Closed, OSError):
                time.sleep(0.1)
        self.assertEqual((counts["device_stalls"], counts["device_resets"], counts["open"]), (1, 1, 1))

    def test_killed_under_load(self):
        """What was answered was answered right; what was not, ends; no connection stays behind in the guest."""
        source = random.Random(4)
        stop = threading.Event()
        answered, lost, failures = [0] * WORKERS, [0] * WORKERS, []

        def work(number):
            while not stop.is_set():
                try:
                    with self.vm.client(newline=number % 2 == 0, initialize=False) as client:
                        client.initialize()
                        while not stop.is_set():
                            if client.tool("infer", prompt="What is a unikernel?")["text"][:12] != "A unikernel ":
                                failures.append("a wrong answer")
                            answered[number] += 1
                except (Closed, ConnectionError):
                    lost[number] += 1
                except BaseException as error:  # pylint: disable=broad-except
                    failures.append(repr(error))
                    return

        with self.vm.client() as client:
            before = client.tool("health")["details"]
        workers = [threading.Thread(target=work, args=(number,)) for number in range(WORKERS)]
        for worker in workers:
            worker.start()
        idle = []
        for _ in range(KILLS):
            idle.append(self.vm.client())  # says nothing: only the bridge can tell the guest that it is gone
            until = sum(answered) + source.randrange(40)
            while sum(answered) < until and not failures:
                time.sleep(0.001)
            server = self.vm.bridge_server_pid()
            os.kill(server, signal.SIGKILL)
            while self.vm.bridge_server_pid() == server:
                time.sleep(0.001)
        last = sum(answered)
        while sum(answered) < last + 100 and not failures:
            time.sleep(0.01)
        stop.set()
        for worker in workers:
            worker.join()
        self.assertEqual(failures, [])
        for client in idle:
            client.expect_closed()
            client.close()
        with self.vm.client() as client:
            after = client.tool("health")["details"]
        print(f"{KILLS} kills: {sum(answered)} answers, {sum(lost)} connections lost, "
              f"heap {before['memory']['heap_used']} before and {after['memory']['heap_used']} after")
        self.assertEqual(after["connections"]["open"], 1)
        self.assertEqual(after["memory"]["heap_blocks"], before["memory"]["heap_blocks"])
        self.assertEqual(after["memory"]["failures"], 0)
        self.assertTrue(alive(self.vm.bridge_pid))


if __name__ == "__main__":
    unittest.main(verbosity=2)
