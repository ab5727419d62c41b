# SPDX-License-Identifier: MIT
"""Many connections and many requests: every id is answered once, and what a client holds comes back when it goes."""
import collections
import concurrent.futures
import contextlib
import json
import selectors
import struct
import time
import unittest

from vm import MESSAGE_MAX, VM, Closed

CONNECTIONS_MAX = 64
OVERLOADED = -32000


class Stream:
    """One connection of the load: keeps `window` requests under way, counts its answers by id."""

    def __init__(self, client, count, window, kinds):
        self.client, self.count, self.window, self.kinds = client, count, window, kinds
        self.sent = 0
        self.answers = collections.Counter()
        self.failures = []
        self.sent_at, self.latencies = {}, []  # seconds
        client.socket.setblocking(False)
        self.output = b""

    def fill(self):
        while self.sent < self.count and self.sent - self.answers.total() < self.window:
            method, params = self.kinds[self.sent % len(self.kinds)]
            text = json.dumps({"jsonrpc": "2.0", "id": f"r{self.sent}", "method": method, "params": params}).encode()
            self.output += struct.pack(">I", len(text)) + text
            self.sent_at[f"r{self.sent}"] = time.monotonic()
            self.sent += 1
        if self.output:
            try:
                self.output = self.output[self.client.socket.send(self.output):]
            except BlockingIOError:
                pass

    def drain(self):
        data = self.client.socket.recv(1 << 16)
        if not data:
            raise AssertionError("the connection was closed")
        received = self.client.received + data
        while len(received) >= 4:
            length, = struct.unpack(">I", received[:4])
            if len(received) < 4 + length:
                break
            answer, received = json.loads(received[4:4 + length]), received[4 + length:]
            self.answers[answer["id"]] += 1
            self.latencies.append(time.monotonic() - self.sent_at.pop(answer["id"], 0))
            if "result" not in answer or answer["result"].get("isError"):
                self.failures.append(answer)
        self.client.received = received

    def done(self):
        return self.answers.total() >= self.count


def run(streams):
    """Drives all streams until each has its answers; a minute of silence is an error."""
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            stream.fill()
            selector.register(stream.client.socket, selectors.EVENT_READ, stream)
        while not all(stream.done() for stream in streams):
            ready = selector.select(60)
            assert ready, "no answer for a minute"
            for key, _ in ready:
                key.data.drain()
            for stream in streams:
                stream.fill()


KINDS = [("tools/call", {"name": "infer", "arguments": {"prompt": "What is virtio?"}}),
         ("tools/call", {"name": "health"}),
         ("ping", {}),
         ("tools/call", {"name": "metadata", "arguments": {}}),
         ("tools/call", {"name": "logs", "arguments": {"limit": 5}}),
         ("tools/list", {})] * 4
KINDS.append(("tools/call", {"name": "load_model", "arguments": {"path": "guide.kv"}}))  # takes longest by far


class Load(unittest.TestCase):
    def load(self, memory, connections, requests, window):
        """Every id is answered once. Returns the answers that are not results."""
        failures = []
        with VM(memory=memory) as vm, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(vm.client()) for _ in range(connections)]
            streams = [Stream(client, requests // connections, window, KINDS[i % len(KINDS):] + KINDS[:i % len(KINDS)])
                       for i, client in enumerate(clients)]
            run(streams)
            for stream in streams:
                self.assertEqual(stream.answers, collections.Counter(f"r{i}" for i in range(stream.count)))
                failures += stream.failures
            clients[0].socket.setblocking(True)
            self.assertEqual(clients[0].tool("health")["details"]["requests"]["pending"], 1)
        return failures

    def test_ten_thousand_requests(self):
        self.assertEqual(self.load(memory=128, connections=50, requests=10000, window=1), [])

    def test_more_than_the_model_takes(self):
        """Calls that find the model's queue full are told so; they are not lost, and nothing else fails."""
        for failure in self.load(memory=32, connections=50, requests=4000, window=16):
            self.assertEqual(failure["error"]["code"], OVERLOADED, failure)

    def test_idle_connections_in_a_small_guest(self):
        with VM(memory=32) as vm, vm.client() as first:
            before = first.tool("health")["details"]
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(vm.client()) for _ in range(CONNECTIONS_MAX - 1)]
                details = first.tool("health")["details"]
                self.assertEqual(details["connections"]["open"], CONNECTIONS_MAX)
                self.assertEqual(details["memory"]["failures"], 0)
                for client in clients:  # each of them still works
                    client.tool("infer", prompt="What is MCP?")
            self.wait_for_connections(first, 1)
            details = first.tool("health")["details"]
            # The first client's own answers may have made its buffers grow.
            grown = details["memory"]["client_pool_used"] - before["memory"]["client_pool_used"]
            self.assertLess(grown, 16384, "what the connections held came back")

    def test_clients_that_do_not_read(self):
        """Answers that nobody fetches do not use up the memory: their clients' requests wait, and all is answered."""
        for memory in 8, 32:
            with self.subTest(memory=memory):
                self.do_not_read(memory)

    def do_not_read(self, memory):
        count = 150
        request = json.dumps({"jsonrpc": "2.0", "id": "r", "method": "tools/list", "params": {"padding": "x" * 3000}}).encode()
        with VM(memory=memory, boot="pvh") as vm, vm.client() as first, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(vm.client()) for _ in range(CONNECTIONS_MAX - 1)]
            threads = stack.enter_context(concurrent.futures.ThreadPoolExecutor(len(clients)))
            sent = [threads.submit(client.send_bytes, (struct.pack(">I", len(request)) + request) * count)
                    for client in clients]
            used = []
            while len(used) < 1000 and (len(used) < 50 or len(set(used[-50:])) > 1):  # until the guest takes no more
                used.append(first.tool("health")["details"]["memory"]["heap_used"])
            first.tool("load_model", path="guide.kv")
            for client in clients:
                for _ in range(count):
                    self.assertIn("result", client.receive())
            for future in sent:
                future.result()
            memory = first.tool("health")["details"]["memory"]
            self.assertEqual(memory["failures"], 0)
            self.assertLess(memory["client_pool_peak"], memory["client_pool_limit"] * 3 // 4)

    def test_the_longest_messages_from_everybody(self):
        """More than the pool holds: each client gets an answer or is told so, and all is as before when they have gone."""
        def frame(method, params, padded):
            request = {"jsonrpc": "2.0", "id": 1000, "method": method, "params": params}
            padded["prompt"] = "x" * (MESSAGE_MAX - len(json.dumps(request)) - len('"prompt": ""'))
            text = json.dumps(request).encode()
            return struct.pack(">I", len(text)) + text

        def exchange(client, data):
            client.send_bytes(data)
            return client.receive()

        arguments, params = {}, {}
        frames = [frame("tools/call", {"name": "infer", "arguments": arguments}, arguments), frame("ping", params, params)]
        with VM(memory=32) as vm, vm.client() as first:
            before = first.tool("health")["details"]["memory"]
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(vm.client()) for _ in range(CONNECTIONS_MAX - 1)]
                with concurrent.futures.ThreadPoolExecutor(len(clients)) as threads:
                    answers = list(threads.map(exchange, clients, frames * len(clients)))
                refused = [answer["error"]["code"] for answer in answers if "error" in answer]
                self.assertEqual(set(refused), {OVERLOADED})
                for client in clients:  # each of them still works
                    client.tool("infer", prompt="What is MCP?")
            self.wait_for_connections(first, 1)
            for _ in range(1000):  # the driver forgets a connection when its peer has confirmed the end
                after = first.tool("health")["details"]["memory"]
                if after["heap_used"] <= before["heap_used"]:
                    break
            for name in ("client_pool_used", "heap_used", "heap_blocks"):
                self.assertEqual(after[name], before[name], name)

    def wait_for_connections(self, client, count):
        """The guest learns a moment later that a connection ended. Counts questions, not seconds."""
        for _ in range(1000):
            if client.tool("health")["details"]["connections"]["open"] == count:
                return
        self.fail(f"more than {count} connections stay open")

    def test_one_connection_too_many(self):
        with VM(memory=32) as vm, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(vm.client()) for _ in range(CONNECTIONS_MAX)]
            with vm.client(initialize=False) as surplus:
                with self.assertRaises((Closed, ConnectionError)):
                    surplus.initialize()
            clients[-1].close()
            self.wait_for_connections(clients[0], CONNECTIONS_MAX - 1)
            with vm.client() as client:  # its place is free again
                client.tool("health")
            clients[0].tool("health")


if __name__ == "__main__":
    unittest.main(verbosity=2)
