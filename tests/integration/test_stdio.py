# SPDX-License-Identifier: MIT
"""mcp-cli stdio: the bytes between an MCP host and the VM, a side that does not read, and the end of either side."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import unittest

from mcp_host import INITIALIZE, STATELESS, Host, configurations, ping, request
from vm import MCP_CLI, MESSAGE_MAX, TIMEOUT, VM, Folder


class Bridge(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vm = VM(boot="pvh", memory=64)

    @classmethod
    def tearDownClass(cls):
        cls.vm.close()

    def host(self, **options):
        return Host(self, "--socket", self.vm.socket, "stdio", **options)

    def test_both_eras(self):
        for sockets in (False, True):
            with self.subTest(sockets=sockets):
                host = self.host(sockets=sockets)
                host.send(INITIALIZE)
                self.assertEqual(host.answer()["result"]["protocolVersion"], "2025-11-25")
                host.send({"jsonrpc": "2.0", "method": "notifications/initialized"}, request(1, "tools/list"))
                self.assertIn("infer", [tool["name"] for tool in host.answer()["result"]["tools"]])
                self.assertEqual(host.end(), (0, b"", ""))
                host = self.host(sockets=sockets)
                host.send(request("a", "server/discover", _meta=STATELESS))
                self.assertIn("2026-07-28", host.answer()["result"]["supportedVersions"])
                self.assertEqual(host.end(), (0, b"", ""))

    def test_endpoints(self):
        for endpoint in (f"unix:{self.vm.socket}", str(self.vm.socket)):
            host = Host(self, "stdio", "--server", endpoint)
            host.send(ping(1))
            self.assertEqual(host.answer(), {"jsonrpc": "2.0", "id": 1, "result": {}})
            self.assertEqual(host.end(), (0, b"", ""))

    def test_the_end_of_the_input(self):
        """What was asked is answered, however long it takes, and then it is the end."""
        host = self.host()
        host.send(INITIALIZE, request(1, "tools/call", name="infer", arguments={"prompt": "What is MCP?"}), ping(2))
        status, answers, errors = host.end()
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual({json.loads(line)["id"] for line in answers.splitlines()}, {0, 1, 2})

    def test_nothing(self):
        self.assertEqual(self.host().end(), (0, b"", ""))

    # Bytes

    def test_bytes_are_the_same(self):
        """What comes through mcp-cli is what a connection of one's own has, byte for byte: what is no JSON, too."""
        asked = b" \r\n" + b"".join(json.dumps(line).encode() + b"\r\n" for line in (
            INITIALIZE, request(1, "ping"), request("\u00e4\n", "tools/list"), [], 7, request(2, "no/such/method"))) \
            + b'{"jsonrpc":"2.0","id":3,"method":\x00}\n\xff\xfe\n' + ping(4)[:-1]
        answers = []
        with socket.socket(socket.AF_UNIX) as direct:
            direct.settimeout(TIMEOUT)
            direct.connect(str(self.vm.socket))
            direct.sendall(asked)
            direct.shutdown(socket.SHUT_WR)
            answers.append(b"".join(iter(lambda: direct.recv(1 << 16), b"")))
        for sockets in (False, True):
            host = self.host(sockets=sockets)
            host.send(asked)
            status, answer, errors = host.end()
            self.assertEqual((status, errors), (0, ""))
            answers.append(answer)
        self.assertEqual(answers[0].count(b"\n"), 9, answers[0])
        self.assertEqual(answers, answers[:1] * 3)

    def test_long_messages(self):
        """Up to 1 MiB they are answered, beyond it refused by the server, and what follows is answered."""
        host = self.host()
        host.send(ping(1, MESSAGE_MAX + 1))  # with its newline
        self.assertEqual(host.answer(), {"jsonrpc": "2.0", "id": 1, "result": {}})
        for size in (MESSAGE_MAX + 2, 4 * MESSAGE_MAX):
            host.send(ping(2, size))
            error = host.answer()["error"]
            self.assertIn("message longer than 1048576 bytes", error["message"])
            host.send(ping(3))
            self.assertEqual(host.answer()["id"], 3)
        self.assertEqual(host.end(), (0, b"", ""))

    def test_message_without_end(self):
        """What the server says before it closes the connection reaches a host that sends on."""
        host = self.host()
        sent = 0
        with self.assertRaises(BrokenPipeError):
            host.send(b'{"jsonrpc":')
            while sent < 1 << 30:
                host.send(b" " * MESSAGE_MAX)
                sent += MESSAGE_MAX
        self.assertIn("error", host.answer())
        self.assertEqual(host.output.read(), b"")
        self.assertEqual(host.process.wait(TIMEOUT), 3)
        self.assertIn("the server has closed the connection", host.process.stderr.read().decode())

    def test_no_json(self):
        host = self.host()
        host.send(b"POST / HTTP/1.1\r\n\r\n")
        self.assertIn("error", host.answer())
        self.assertEqual(host.output.read(), b"")
        self.assertEqual(host.process.wait(TIMEOUT), 3)

    # Back-pressure

    def stall(self, host):
        """Asks until nobody has taken a byte for a second. Returns how many requests, and the last one's rest."""
        number, waiting, idle, sent = 0, b"", 0, 0
        os.set_blocking(host.input.fileno(), False)
        while idle < 20:
            if not waiting:
                number += 1
                waiting = json.dumps(request(number, "tools/list", _meta={"example.com/x": "x" * 2000})).encode() + b"\n"
            try:
                taken = os.write(host.input.fileno(), waiting)
                waiting, sent, idle = waiting[taken:], sent + taken, 0
            except BlockingIOError:
                idle += 1
                time.sleep(0.05)
            self.assertLess(sent, 16 << 20, "nothing holds the host back")
        os.set_blocking(host.input.fileno(), True)
        return number, waiting

    def memory(self, host):
        """KiB of mcp-cli, at its most."""
        status = pathlib.Path(f"/proc/{host.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0])

    def test_a_host_that_does_not_read(self):
        """It is not read any more, costs no memory, and gets every answer in the end. The VM serves others meanwhile."""
        for sockets in (False, True):
            with self.subTest(sockets=sockets):
                host = self.host(sockets=sockets)
                host.send(ping(0))
                self.assertEqual(host.answer()["id"], 0)
                before = self.memory(host)
                count, rest = self.stall(host)
                self.assertLess(self.memory(host), before + 1024)
                with self.vm.client() as other:
                    self.assertEqual(other.tool("health")["status"], "ok")
                writer = threading.Thread(target=lambda host=host, rest=rest: (host.send(rest), host.input.close()))
                writer.start()
                answers = [json.loads(line)["id"] for line in host.output]
                writer.join()
                self.assertEqual(answers, list(range(1, count + 1)))
                self.assertEqual(host.process.wait(TIMEOUT), 0)

    # The end

    def test_signals(self):
        """They end it at once, also while nobody reads; nothing is said."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
            for stalled in (False, True):
                with self.subTest(signal=number.name, stalled=stalled):
                    host = self.host()
                    host.send(ping(1))
                    self.assertEqual(host.answer()["id"], 1)
                    if stalled:
                        self.stall_quickly(host)
                    host.process.send_signal(number)
                    self.assertEqual(host.process.wait(TIMEOUT), -number)
                    self.assertEqual(host.process.stderr.read(), b"")
        with self.vm.client() as client:
            self.assertEqual(client.tool("health")["status"], "ok")

    def test_signals_by_tcp(self):
        """Resolving a name and connecting block Ctrl-C for a while."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            host = Host(self, "stdio", "--server", f"tcp:127.0.0.1:{server.getsockname()[1]}")
            with server.accept()[0] as connection:
                host.send(b"hello\n")
                self.assertEqual(connection.recv(100), b"hello\n")
                host.process.send_signal(signal.SIGINT)
                self.assertEqual(host.process.wait(TIMEOUT), -signal.SIGINT)

    def stall_quickly(self, host):
        os.set_blocking(host.input.fileno(), False)
        try:
            while True:
                os.write(host.input.fileno(), ping(2, 4096))
        except BlockingIOError:
            pass

    def test_a_host_that_is_gone(self):
        """The end of the reader is noticed without a write."""
        for sockets in (False, True):
            with self.subTest(sockets=sockets):
                host = self.host(sockets=sockets)
                host.send(ping(1))
                host.answer()
                host.output.close()
                self.assertEqual(host.process.wait(TIMEOUT), 3)
                self.assertIn("cannot write to standard output: Broken pipe", host.process.stderr.read().decode())

    def test_flags_of_the_host_stay(self):
        """A terminal's or a pipe's flags are shared with the host: O_NONBLOCK would be its, too."""
        near, far = os.pipe()
        with os.fdopen(near, "rb") as output, os.fdopen(far, "wb") as write_end:
            done = subprocess.run([MCP_CLI, "--socket", self.vm.socket, "stdio"], input=ping(1), stdout=write_end, check=True,
                                  timeout=TIMEOUT)
            self.assertEqual(done.returncode, 0)
            self.assertTrue(os.get_blocking(near) and os.get_blocking(far))
            write_end.close()
            self.assertEqual(json.loads(output.read())["id"], 1)

    def test_files(self):
        with Folder() as folder:
            (folder.path / "in").write_bytes(b"".join(ping(number) for number in range(1000)))
            with (folder.path / "in").open("rb") as asked, (folder.path / "out").open("wb") as answers:
                subprocess.run([MCP_CLI, "--socket", self.vm.socket, "stdio"], stdin=asked, stdout=answers, check=True,
                               timeout=TIMEOUT)
            lines = (folder.path / "out").read_bytes().splitlines()
            self.assertEqual([json.loads(line)["id"] for line in lines], list(range(1000)))

    def test_usage(self):
        for words, status, message in (
                (["stdio", "--no-such"], 2, "unknown option"), (["stdio", "x"], 2, "takes no 'x'"),
                (["stdio", "--server", "nowhere"], 2, "--server takes"), (["stdio", "--server", "vsock:x"], 2, "takes CID"),
                (["--server", "http://127.0.0.1:1/mcp", "stdio"], 2, "on a socket"),
                (["stdio", "--server", "/no/such.sock"], 3, "tools/run --detach"),
                (["stdio", "--boot", "--machine", "mainframe"], 2, "q35 or microvm"),
                (["stdio", "--boot", "health"], 2, "takes no command"),
                (["stdio", "--boot", "--models", "/no/such"], 2, "no folder that can be read")):
            with self.subTest(words=words):
                host = Host(self, *words)
                done = host.end()
                self.assertEqual((done[0], done[1]), (status, b""), done[2])
                self.assertIn(message, done[2])

    def test_closed_streams(self):
        for redirection in ("<&-", ">&-", "<&- >&- 2>&-"):
            done = subprocess.run(["sh", "-c", f'exec "$0" --socket "$1" stdio {redirection}', MCP_CLI, self.vm.socket],
                                  capture_output=True, text=True, check=False, timeout=TIMEOUT)
            self.assertEqual((done.returncode, done.stdout), (2, ""))
        done = subprocess.run(["sh", "-c", 'exec "$0" --socket "$1" stdio 2>&-', MCP_CLI, self.vm.socket], input=ping(1),
                              capture_output=True, check=False, timeout=TIMEOUT)
        self.assertEqual((done.returncode, json.loads(done.stdout)["id"]), (0, 1))


class Readme(unittest.TestCase):
    def test_configurations(self):
        """What a host does with each: it runs the command with the arguments, and says hello."""
        documents = [json.loads(text) for text in configurations()]
        self.assertEqual([list(document) for document in documents], [["mcpServers"], ["servers"], ["context_servers"]])
        with Folder() as folder, VM(boot="pvh", memory=32) as machine:
            environment = dict(folder.environment, MCP_SOCKET=str(machine.socket))
            for document in documents:
                server = document.popitem()[1]["microkernelia"]
                with self.subTest(server=server):
                    self.assertEqual(server["command"], "mcp-cli")
                    host = Host(self, *server["args"], environment=environment)
                    host.send(INITIALIZE)
                    self.assertEqual(host.answer()["result"]["serverInfo"]["name"], "microkernelia")
                    self.assertEqual(host.end(), (0, b"", ""))


class End(unittest.TestCase):
    def test_the_vm_ends(self):
        """A VM that is gone is the end, with all that it said before and what to do."""
        with VM(boot="pvh", memory=64) as vm:
            host = Host(self, "--socket", vm.socket, "stdio")
            host.send(ping(1))
            self.assertEqual(host.answer()["id"], 1)
            os.kill(vm.qemu_pid, signal.SIGKILL)
            self.assertEqual(host.output.read(), b"")
            self.assertEqual(host.process.wait(TIMEOUT), 3)
            self.assertIn("tools/run --detach", host.process.stderr.read().decode())


if __name__ == "__main__":
    unittest.main(verbosity=2)
