# SPDX-License-Identifier: MIT
"""Who may connect and what each client may do: the command line's policy=, and a file of the share."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import vm
from vm import RUN, VM, Closed, Folder

OVERLOADED, TOO_LARGE, FORBIDDEN, NOT_FOUND = -32000, -32001, -32003, -32002


class Policy(unittest.TestCase):
    def refused(self, machine):
        with self.assertRaises((Closed, ConnectionError)):
            with machine.client() as client:
                client.request("ping")

    def test_a_refused_client_is_disconnected_and_logged_once(self):
        with VM(append="policy=vsock:2:1=all;vsock:host=none") as machine:
            for _ in range(200):
                self.refused(machine)
            lines = [line for line in machine.serial().splitlines() if "refused: the policy does not let it in" in line]
            self.assertGreaterEqual(len(lines), 1)
            self.assertLess(len(lines), 100, "a line for each would drown the log")

    def test_connections_of_one_rule(self):
        with VM(append="policy=vsock:2=all,connections=2") as machine:
            with machine.client(), machine.client() as second:
                self.refused(machine)
                self.assertEqual(second.tool("health")["details"]["connections"]["refused"], 1)
            for _ in range(1000):  # the guest learns a moment later that they are gone
                try:
                    with machine.client() as client:
                        client.tool("health")
                    return
                except (Closed, ConnectionError):
                    pass
            self.fail("the place of a connection that ended stays taken")

    def test_size_of_messages(self):
        with VM(append="policy=any=all,message=2K") as machine, machine.client() as client:
            self.assertIn("text", client.tool("infer", prompt="x" * 1000))
            client.start("ping", {"padding": "x" * 2048})
            error = client.receive()["error"]
            self.assertEqual((error["code"], error["data"]["limit"]), (TOO_LARGE, 2048))
            client.request("ping")

    def test_a_rate_slows_down_and_loses_nothing(self):
        """100 a second: a burst of 100 at once, the other 200 take their time; another client is not slowed."""
        with VM(append="policy=any=all,rate=100") as machine, machine.client() as fast, machine.client() as other:
            start = time.monotonic()
            ids = [fast.start("ping") for _ in range(300)]
            for _ in range(10):
                other.request("ping")
            for request_id in ids:
                self.assertEqual(fast.answer(request_id)["result"], {})
            # Not a measurement of speed: the rate itself sets this floor, whatever the machine does.
            self.assertGreater(time.monotonic() - start, 1.5)

    def test_tools(self):
        with VM(append="policy=vsock:2=infer+health") as machine, machine.client() as client:
            client.tool("infer", prompt="What is MCP?")
            client.tool("health")
            client.request("ping")
            self.assertEqual([tool["name"] for tool in client.request("tools/list")["tools"]], ["infer", "health"])
            for tool, arguments in (("load_model", {"path": "guide.kv"}), ("logs", {}), ("metadata", {})):
                for error in (client.error("tools/call", {"name": tool, "arguments": arguments}),
                              client.error(tool, arguments)):
                    self.assertEqual(error["code"], FORBIDDEN)
                    self.assertIn(tool, error["message"])

    def test_administrators_by_the_socket(self):
        """vsock-bridge: only who may open the second socket has a port below 1024, whatever the first bytes are."""
        with tempfile.TemporaryDirectory(prefix="mk-") as folder:
            admin_socket = pathlib.Path(folder, "admin.sock")
            with VM(append="policy=vsock:host:1-1023=all;vsock:host=infer+health", admin_socket=admin_socket) as machine:
                for killed in False, True:
                    if killed:
                        server = machine.bridge_server_pid()
                        os.kill(server, signal.SIGKILL)
                        while machine.bridge_server_pid() == server:
                            time.sleep(0.001)
                    for hello in b"", b"CONNECT 5000\n":
                        with self.greeted(machine.socket, hello) as client, self.greeted(admin_socket, hello) as admin:
                            client.tool("health")
                            self.assertEqual(client.error("load_model", {"path": "guide.kv"})["code"], FORBIDDEN)
                            self.assertEqual(admin.tool("load_model", path="guide.kv")["status"], "loaded")
            self.assertFalse(admin_socket.exists())

    def greeted(self, path, hello):
        client = vm.Client(path, initialize=False)
        if hello:
            client.send_bytes(hello)
            answer = b""
            while not answer.endswith(b"\n"):
                answer += client.socket.recv(1)
            self.assertEqual(answer[:3], b"OK ")
        client.initialize()
        return client

    def test_the_log_is_for_those_who_may_call_logs(self):
        """Neither its lines nor that there are any."""
        with VM(append="log=debug policy=vsock:2=health") as machine, machine.client() as client:
            client.request("logging/setLevel", {"level": "debug"})
            self.assertEqual(client.error("resources/subscribe", {"uri": "logs://kernel"})["code"], NOT_FOUND)
            for _ in range(20):
                with machine.client() as other:  # which the log names
                    other.request("ping")
                request_id = client.start("ping")
                self.assertEqual(client.receive()["id"], request_id)

    def test_unanswered_calls(self):
        """Two at once: the third of one message is told to wait. Calls that are answered at once are no matter."""
        with VM(append="policy=any=all,calls=2") as machine, machine.client(initialize=False) as client:
            client.initialize("2025-03-26")
            client.send([{"jsonrpc": "2.0", "id": number, "method": "tools/call",
                          "params": {"name": "infer", "arguments": {"prompt": "What is MCP?"}}} for number in range(3)])
            answers = {answer["id"]: answer for answer in client.receive()}
            self.assertEqual([number for number in range(3) if "result" in answers[number]], [0, 1])
            self.assertEqual(answers[2]["error"]["code"], OVERLOADED)
            for _ in range(5):
                client.request("tools/call", {"name": "health"})

    def test_a_mistake_does_not_start(self):
        with Folder() as folder:
            started = subprocess.run([RUN, "--no-build", "--detach", "--socket", folder.path / "vm.sock", "--append",
                                      "policy=vsock:2=shell"], env=folder.environment, stdin=subprocess.DEVNULL,
                                     capture_output=True, text=True, timeout=300, check=False)
            self.assertNotEqual(started.returncode, 0)
            self.assertIn("policy, line 1, rule 1: not a tool, all or none: 'shell'", started.stdout + started.stderr)

    @unittest.skipIf(vm.why_no_share(), vm.why_no_share())
    def test_a_file_of_the_share(self):
        with tempfile.TemporaryDirectory(prefix="mk-") as name:
            share = pathlib.Path(name)
            shutil.copy(vm.GUIDE, share)
            (share / "policy.txt").write_text("# the host\nvsock:host = all, message = 4K\n")
            with VM(models=share, append="policy=share:policy.txt") as machine, machine.client() as client:
                client.tool("load_model", path="guide.kv")
                client.start("ping", {"padding": "x" * 4096})
                self.assertEqual(client.receive()["error"]["data"]["limit"], 4096)
            for content, reason in (("vsock:host = all, message = 4X\n", "out of range: '4X'"),
                                    ("x" * 8193, "it is longer than 8192 bytes"), (None, "no such file")):
                (share / "policy.txt").unlink()
                if content is not None:
                    (share / "policy.txt").write_text(content)
                with Folder() as folder:
                    started = subprocess.run([RUN, "--no-build", "--detach", "--socket", folder.path / "vm.sock", "--models",
                                              share, "--append", "policy=share:policy.txt"], env=folder.environment,
                                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
                                             check=False)
                    self.assertNotEqual(started.returncode, 0)
                    self.assertIn(reason, started.stdout + started.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
