# SPDX-License-Identifier: MIT
"""The console port: QEMU joins it to one TCP client at a time, whose leftovers must not reach the next one."""
import json
import socket
import struct
import subprocess
import unittest

from vm import MCP_CLI, TIMEOUT, VM, Client

TOOLS = {"infer", "health", "metadata", "load_model", "logs", "tokenize", "embed"}
PING = b'{"jsonrpc":"2.0","id":77,"method":"ping"}'
FRAME = struct.pack(">I", len(PING)) + PING


def reset(client):
    """Closes so that the other side sees RST, not the end of the stream."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


class FiveTools(unittest.TestCase):
    def check(self, **options):
        with VM(transport="console", memory=64, **options) as vm, vm.client() as client:
            self.assertEqual({tool["name"] for tool in client.request("tools/list")["tools"]}, TOOLS)
            self.assertIn("unikernel", client.tool("infer", prompt="What is a unikernel?")["text"].lower())
            self.assertEqual(client.tool("health")["status"], "ok")
            self.assertIn("model_name", client.tool("metadata"))
            self.assertEqual(client.tool("load_model", path="guide.kv")["status"], "loaded")
            self.assertTrue(any("console port 'mcp.0'" in line["text"] for line in client.tool("logs")["lines"]))

    def test_pvh(self):
        self.check(boot="pvh")

    def test_iso(self):
        self.check(boot="iso")

    def test_microvm(self):
        self.check(machine="microvm")

    def test_boot_module_alone(self):
        """As on a host without vhost-user: no share, no shared memory."""
        self.check(boot="pvh", models="none")


class Clients(unittest.TestCase):
    machine = "q35"

    @classmethod
    def setUpClass(cls):
        cls.vm = VM(transport="console", machine=cls.machine, boot="pvh", memory=64)

    @classmethod
    def tearDownClass(cls):
        cls.vm.close()

    def connect(self):
        """Connects, and says nothing: the host accepts it when the one before has gone."""
        return Client(self.vm.address, initialize=False)

    def expect_pong(self, client):
        client.send_bytes(FRAME)
        self.assertEqual(client.receive(), {"jsonrpc": "2.0", "id": 77, "result": {}})

    def test_one_after_the_other(self):
        for _ in range(100):
            with self.connect() as client:
                self.expect_pong(client)

    def test_one_at_a_time(self):
        first = self.connect()
        self.expect_pong(first)
        second = self.connect()
        second.send_bytes(FRAME)
        for _ in range(10):
            self.expect_pong(first)
        second.socket.settimeout(0.2)
        with self.assertRaises(socket.timeout):
            second.receive()
        second.socket.settimeout(TIMEOUT)
        first.close()
        self.assertEqual(second.receive()["id"], 77)
        second.close()

    def test_a_half_frame_is_left(self):
        """By a client that closes, while the next one has connected and spoken already: the host reads both at once."""
        first = self.connect()
        for number in range(100):
            second = self.connect()
            second.send_bytes(FRAME)
            first.send_bytes(FRAME * (number % 3) + FRAME[:number % len(FRAME)])
            first.close()
            self.assertEqual(second.receive(), {"jsonrpc": "2.0", "id": 77, "result": {}}, f"after {number} clients")
            first = second
        first.close()

    def test_reset_in_mid_frame(self):
        """A client that is reset, and the next one is there before the kernel looks."""
        for number in range(100):
            first = self.connect()
            first.send_bytes(FRAME[:4 + number % (len(FRAME) - 4)])
            reset(first)
            with self.connect() as second:
                self.expect_pong(second)

    def test_unread_answers(self):
        """More often than the port has buffers for what is sent: QEMU forgets the one that it is about to send."""
        request = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
        requests = (struct.pack(">I", len(request)) + request) * 100
        for _ in range(20):
            client = self.connect()
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.socket.settimeout(0.5)
            try:
                while True:  # until nothing is read any more, because the answers are not
                    client.send_bytes(requests)
            except socket.timeout:
                pass
            client.close()
            self.expect_service_soon()

    def expect_service_soon(self):
        """When a client is reset while QEMU (7.2) writes to it, QEMU sends nothing to the next one until that has gone,
        too. The one after that must be served."""
        with self.connect() as following:
            following.socket.settimeout(3)
            try:
                self.expect_pong(following)
                return
            except socket.timeout:
                print("QEMU has not opened the port again", flush=True)
        with self.connect() as following:
            self.expect_pong(following)

    def test_nothing_is_left_after_many(self):
        """Clients that only connect, more than the device has buffers for messages; then one that asks."""
        for _ in range(200):
            self.connect().close()
        with self.connect() as client:
            self.expect_pong(client)

    def test_long_messages(self):
        with self.vm.client() as client:
            for size in (4096 - 4, 65536, 1000000):
                answer = client.answer(client.start("ping", {"x": "y" * size}))
                self.assertEqual(answer["result"], {})
            error = client.error("x" * 500000)
            self.assertEqual(error["code"], -32601)

    def test_lines(self):
        with self.vm.client(newline=True) as client:
            self.assertTrue(client.tool("infer", prompt="What is MCP?")["matched"])

    def test_half_closed(self):
        """QEMU takes the end of what a client sends for the end of the client: the answer is lost."""
        with self.connect() as client:
            self.expect_pong(client)
            client.socket.shutdown(socket.SHUT_WR)
            client.expect_closed()

    def test_nonsense(self):
        """The kernel says what it thinks, and cannot close: what follows is thrown away until the client leaves."""
        client = self.connect()
        client.send_bytes(b"POST / HTTP/1.1\r\n")
        answer = json.loads(client.socket.recv(4096))
        self.assertEqual(answer["error"]["code"], -32700)
        client.send_bytes(FRAME)
        client.close()
        with self.connect() as following:
            self.expect_pong(following)

    def mcp_cli(self, *arguments):
        host, port = self.vm.address
        return subprocess.run([MCP_CLI, "--tcp", f"{host}:{port}", *arguments], capture_output=True, text=True,
                              timeout=2 * TIMEOUT, check=False, stdin=subprocess.DEVNULL)

    def test_mcp_cli(self):
        for _ in range(20):
            done = self.mcp_cli("infer", "What is a unikernel?")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("unikernel", done.stdout)
        with self.connect() as client:
            self.expect_pong(client)
            done = self.mcp_cli("--timeout", "1", "health")
            self.assertEqual(done.returncode, 3)
            self.assertIn("one client at a time", done.stderr)
            self.expect_pong(client)


class ClientsOfMicrovm(Clients):
    """The same over MMIO, but for what takes long and is the port's business, not the transport's."""
    machine = "microvm"
    test_unread_answers = None


if __name__ == "__main__":
    unittest.main(verbosity=2)
