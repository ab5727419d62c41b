# SPDX-License-Identifier: MIT
"""mcp-cli http: the Streamable HTTP gateway, in front of a hosted server and of the VM. Nothing is timed: what can be counted is."""
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from vm import BUILD, MCP_CLI, TIMEOUT, VM

SERVER = BUILD / "tests" / "conformance" / "conformance-server"
BOTH = "application/json, text/event-stream"
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"}}


def wait_until(what, condition):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {TIMEOUT} s")
        time.sleep(0.01)


class Server:
    """The fixture server on a Unix socket."""

    def __init__(self, path):
        self.path = path
        path.unlink(missing_ok=True)
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", SERVER, "--socket", path],
                                        stdin=subprocess.DEVNULL)
        wait_until("conformance-server listens", path.exists)

    def close(self):
        self.process.kill()
        self.process.wait()


class Gateway:
    def __init__(self, address, *options):
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", MCP_CLI, "--socket", address, "http",
                                         "--listen", "127.0.0.1:0", *map(str, options)],
                                        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        url = self.process.stdout.readline()
        self.port = int(url.rsplit(":", 1)[1].split("/")[0])

    def metrics(self):
        _, _, body = self.ask("GET", path="/metrics")
        lines = [line.split() for line in body.decode().splitlines() if not line.startswith("#")]
        return {name.removeprefix("mcp_"): int(value) for name, value in lines}

    def sockets(self):
        """How many it has open: one to listen, those to the server, those of clients."""
        folder = pathlib.Path(f"/proc/{self.process.pid}/fd")
        return sum(os.readlink(file).startswith("socket:") for file in folder.iterdir() if file.is_symlink())

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)

    def ask(self, method, body=None, path="/mcp", **headers):
        """One HTTP request on a connection of its own: status, headers, body. Underscores of names become dashes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        sent = {"Accept": BOTH} | ({"Content-Type": "application/json"} if body is not None else {})
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Stream:
    """A stream of events, read as they come; `last` is the id of the last one that was read whole."""

    def __init__(self, gateway, method, body=None, **headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=TIMEOUT)
        sent = {"Accept": BOTH, "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, "/mcp", body if body is None else json.dumps(body), sent)
        self.response = self.connection.getresponse()
        self.last = None

    def events(self):
        data, identity = [], None
        for line in self.response:
            line = line.decode().rstrip("\n")
            if line.startswith("id: "):
                identity = line[4:]
            elif line.startswith("data: "):
                data.append(line[6:])
            elif line == "":
                self.last = identity or self.last
                if "".join(data):
                    yield json.loads("\n".join(data))
                data, identity = [], None

    def close(self):
        if self.connection.sock is not None:
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.response.close()
        self.connection.close()


class Session:
    """A client up to 2025-11-25."""

    def __init__(self, gateway, version="2025-11-25"):
        self.gateway = gateway
        self.headers = {}
        self.next_id = 0
        status, headers, body = self.post("initialize", {"protocolVersion": version, "capabilities": {},
                                                         "clientInfo": {"name": "test", "version": "1"}})
        assert status == 200, body
        self.headers = {"Mcp_Session_Id": headers["Mcp-Session-Id"], "MCP_Protocol_Version": version}
        status, _, body = gateway.ask("POST", {"jsonrpc": "2.0", "method": "notifications/initialized"}, **self.headers)
        assert status == 202 and body == b"", (status, body)

    def post(self, method, params=None):
        self.next_id += 1
        return self.gateway.ask("POST", {"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params or {}},
                                **self.headers)

    def request(self, method, params=None):
        """The result; of a stream, the last event's."""
        status, headers, body = self.post(method, params)
        assert status == 200, (status, body)
        if headers["Content-Type"] == "text/event-stream":
            body = [line[6:] for line in body.splitlines() if line.startswith(b"data: ")][-1]
        answer = json.loads(body)
        assert answer["id"] == self.next_id and "result" in answer, answer
        return answer["result"]

    def tool(self, name, **arguments):
        return self.request("tools/call", {"name": name, "arguments": arguments})


def stateless(gateway, method, params=None, name=None):
    headers = {"MCP_Protocol_Version": "2026-07-28", "Mcp_Method": method} | ({"Mcp_Name": name} if name else {})
    return gateway.ask("POST", {"jsonrpc": "2.0", "id": 1, "method": method, "params": (params or {}) | {"_meta": META}}, **headers)


class Hosted(unittest.TestCase):
    options = ()

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="mk-")
        self.path = pathlib.Path(self.folder.name) / "s"
        self.server = Server(self.path)
        self.gateway = Gateway(self.path, *self.options)
        self.addCleanup(self.gateway.close)
        if not isinstance(self, Tokens):
            wait_until("the gateway serves", lambda: self.gateway.metrics()["server_connections"] == 1)
            wait_until("its own connections have ended", lambda: self.gateway.sockets() == 2)

    def tearDown(self):
        self.gateway.process.kill()
        self.server.close()
        self.folder.cleanup()

    def assert_at_rest(self):
        """Nothing is left of what was asked: requests, streams, their memory, descriptors."""
        def at_rest():
            metrics = self.gateway.metrics()
            return (metrics["http_exchanges"] == 1 and metrics["event_bytes"] == 0 and metrics["http_body_bytes"] == 0
                    and self.gateway.sockets() <= 1 + metrics["server_connections"])
        wait_until("the gateway is at rest", at_rest)


class Sessions(Hosted):
    def test_life(self):
        session = Session(self.gateway)
        self.assertIn("test_simple_text", [tool["name"] for tool in session.request("tools/list")["tools"]])
        self.assertEqual(session.tool("test_simple_text")["content"][0]["type"], "text")
        self.assertEqual(self.gateway.ask("DELETE", **session.headers)[0], 204)
        self.assertEqual(session.post("ping")[0], 404)

    def test_every_version(self):
        for version in ("2025-03-26", "2025-06-18", "2025-11-25"):
            Session(self.gateway, version).request("ping")

    def test_server_starts_again(self):
        """A session outlives its server: what it had told the old one is told to the new one."""
        session = Session(self.gateway)
        session.request("resources/subscribe", {"uri": "test://watched-resource"})
        self.server.close()
        wait_until("the gateway has seen it", lambda: session.post("ping")[0] == 503)
        self.assertEqual(self.gateway.ask("GET", path="/healthz")[0], 503)
        self.server = Server(self.path)
        wait_until("the server can be reached", lambda: self.gateway.ask("GET", path="/healthz")[0] == 200)
        session.request("tools/list")
        self.assertGreaterEqual(self.gateway.metrics()["sessions_replayed_total"], 1)

    def test_cuts_at_random(self):
        """100 notices on a stream whose connection is cut again and again: each arrives once, in order."""
        randomness = random.Random(1)
        session = Session(self.gateway)
        headers = dict(session.headers)
        reader = Stream(self.gateway, "GET", **headers)
        numbers, cuts = [], 0
        for _ in range(50):
            session.tool("test_trigger_tool_change")
        while len(numbers) < 50:
            for _ in zip(range(randomness.randrange(1, 9)), reader.events()):
                numbers.append(int(reader.last.split("-")[1]))
                if len(numbers) == 50:
                    break
            reader.close()
            cuts += 1
            if reader.last is not None:
                headers["Last_Event_ID"] = reader.last
            last, reader = reader.last, Stream(self.gateway, "GET", **headers)
            reader.last = last
        reader.close()
        self.assertEqual(numbers, list(range(1, 51)))
        self.assertGreater(cuts, 5)


class Options(unittest.TestCase):
    def test_help(self):
        for option in ("--help", "-h"):
            done = subprocess.run([MCP_CLI, "http", option], capture_output=True, text=True, check=False, timeout=TIMEOUT)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("--listen", done.stdout)


class FewConnections(Hosted):
    options = ("--connections", 4)

    def test_fifty_at_once(self):
        """All four connections are taken: the requests wait, and are answered when one comes back."""
        listen = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen",
                  "params": {"_meta": META, "notifications": {"toolsListChanged": True}}}
        headers = {"MCP_Protocol_Version": "2026-07-28", "Mcp_Method": "subscriptions/listen"}
        streams = [Stream(self.gateway, "POST", listen, **headers) for _ in range(4)]
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(stateless(self.gateway, "tools/list")[0])) for _ in range(50)]
        for thread in threads:
            thread.start()
        wait_until("fifty wait", lambda: self.gateway.metrics()["http_waiting"] == 50 or answers)
        self.assertEqual(answers, [])
        streams[0].close()
        for thread in threads:
            thread.join(TIMEOUT)
        self.assertEqual(answers, [200] * 50)
        self.assertLessEqual(self.gateway.metrics()["server_connections"], 4)
        for stream in streams[1:]:
            stream.close()
        self.assert_at_rest()

    def test_a_thousand_sessions(self):
        sessions = [Session(self.gateway) for _ in range(1000)]
        for session in random.Random(2).sample(sessions, 200):
            session.tool("test_simple_text")
        metrics = self.gateway.metrics()
        self.assertEqual(metrics["sessions"], 1000)
        self.assertLessEqual(metrics["server_connections"], 4)
        self.assertGreater(metrics["sessions_replayed_total"], 100)
        for session in sessions:
            self.assertEqual(self.gateway.ask("DELETE", **session.headers)[0], 204)
        self.assertEqual(self.gateway.metrics()["sessions"], 0)
        self.assert_at_rest()


class Stateless(Hosted):
    def test_answers(self):
        status, _, body = stateless(self.gateway, "server/discover")
        self.assertEqual(status, 200)
        self.assertIn("2026-07-28", json.loads(body)["result"]["supportedVersions"])
        status, _, body = stateless(self.gateway, "no/such/method")
        self.assertEqual((status, json.loads(body)["error"]["code"]), (404, -32601))
        status, _, body = stateless(self.gateway, "tools/call", {"name": "test_simple_text", "arguments": {}}, "wrong")
        self.assertEqual((status, json.loads(body)["error"]["code"]), (400, -32020))

    def test_white_space_around_a_value(self):
        status, _, body = stateless(self.gateway, "tools/call", {"name": "test_simple_text", "arguments": {}},
                                    "  test_simple_text \t ")
        self.assertEqual(status, 200, body)

    def test_the_end_of_a_stream_cancels(self):
        """By a reset and by an end; a client that only closes its side goes on reading."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen",
                "params": {"_meta": META, "notifications": {"toolsListChanged": True}}}
        headers = {"MCP_Protocol_Version": "2026-07-28", "Mcp_Method": "subscriptions/listen"}
        streams = [Stream(self.gateway, "POST", body, **headers) for _ in range(10)]
        events = [stream.events() for stream in streams]
        for event in events:
            self.assertEqual(next(event)["method"], "notifications/subscriptions/acknowledged")
        streams[9].connection.sock and streams[9].connection.sock.shutdown(socket.SHUT_WR)
        for stream in streams[:5]:
            stream.close()
        for stream in streams[5:9]:
            stream.response.close()
            stream.connection.close()
        wait_until("nine are cancelled", lambda: self.gateway.metrics()["http_streams"] == 1)
        stateless(self.gateway, "tools/call", {"name": "test_trigger_tool_change", "arguments": {}}, "test_trigger_tool_change")
        self.assertEqual(next(events[9])["method"], "notifications/tools/list_changed")
        streams[9].close()
        self.assert_at_rest()


class Rude(Hosted):
    options = ("--clients", 64)

    def raw(self, data, half_close=False):
        """What comes back until the end; b"" where it is reset."""
        received = b""
        with self.gateway.connect() as client:
            try:
                client.sendall(data)
                if half_close:
                    client.shutdown(socket.SHUT_WR)
                while part := client.recv(1 << 16):
                    received += part
            except OSError: # it may be reset before all is sent
                pass
        return received

    def head(self, length, *more):
        lines = ["POST /mcp HTTP/1.1", "Host: localhost", f"Accept: {BOTH}", "Content-Type: application/json",
                 f"Content-Length: {length}", *more]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def test_wrong_bytes(self):
        """Each costs its own connection and nothing else."""
        ping = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
        randomness = random.Random(3)
        wrong = [b"\r\n\r\n", b"\0" * 1000, b"GET\r\n\r\n", b"GET /mcp HTTP/9.9\r\n\r\n", b"POST /mcp HTTP/1.1\r\n\r\n",
                 self.head(100) + ping, self.head(-1) + ping, self.head("x") + ping, self.head(1 << 62) + ping,
                 self.head(len(ping), "Content-Length: 3") + ping, self.head(3, "Transfer-Encoding: chunked") + b"zz\r\n\r\n",
                 self.head(len(ping), "X: " + "x" * 40000) + ping, self.head(len(ping), *(f"X{i}: y" for i in range(3000))) + ping,
                 self.head(len(ping), "Mcp-Session-Id: " + "\xff" * 500) + ping, *(randomness.randbytes(500) for _ in range(12))]
        for data in wrong:
            received = self.raw(data, half_close=True)
            self.assertNotIn(b" 200 ", received[:30], data[:200])
        self.assertEqual(self.gateway.ask("POST", b"x" * (1 << 20) + b"y")[0], 413)
        self.assertEqual(self.gateway.ask("POST", b"[" * 100000)[0], 400)
        Session(self.gateway).request("ping")
        self.assert_at_rest()

    def test_pipelined(self):
        """20 requests at once on one connection: 20 answers, in order."""
        requests = b""
        for number in range(20):
            body = json.dumps({"jsonrpc": "2.0", "id": number, "method": "server/discover", "params": {"_meta": META}}).encode()
            requests += self.head(len(body), "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: server/discover",
                                  *(["Connection: close"] if number == 19 else [])) + body
        received = self.raw(requests)
        self.assertEqual(received.count(b"HTTP/1.1 200 OK"), 20)
        places = [received.index(b'{"jsonrpc":"2.0","id":%d,' % number) for number in range(20)]
        self.assertEqual(places, sorted(places))

    def test_half_closed(self):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": META}}).encode()
        received = self.raw(self.head(len(body), "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: server/discover",
                                      "Connection: close") + body, half_close=True)
        self.assertIn(b"supportedVersions", received)

    def test_strangers(self):
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
            self.assertEqual(self.gateway.ask("POST", {}, **headers)[0], 403, headers)
        status, headers, _ = self.gateway.ask("OPTIONS", Origin="http://localhost:3000", Access_Control_Request_Headers="mcp-param-x")
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (204, "http://localhost:3000"))
        self.assertEqual(headers["Access-Control-Allow-Headers"], "mcp-param-x")

    def test_many_that_send_nothing(self):
        """As many connections as there may be, all silent: they have nobody's memory, and go."""
        silent = [self.gateway.connect() for _ in range(60)]
        Session(self.gateway).request("ping")
        for client in silent:
            client.close()
        self.assert_at_rest()

    def test_a_stream_that_nobody_reads(self):
        """The server is slowed down, not the gateway filled: then the stream goes on where it stood."""
        session = Session(self.gateway)
        with self.gateway.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(("GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: "
                            + session.headers["Mcp_Session_Id"] + "\r\n\r\n").encode())
            other = Session(self.gateway)
            for _ in range(300):
                other.tool("test_trigger_tool_change")
            self.assertLess(self.gateway.metrics()["event_bytes"], 1 << 20)
            received = b""
            while received.count(b"list_changed") < 300:
                received += client.recv(1 << 16)


class Tokens(Hosted):
    def setUp(self):
        with tempfile.NamedTemporaryFile("w", prefix="mk-") as file:
            file.write("0123456789abcdef\n")
            file.flush()
            self.options = ("--token-file", file.name)
            super().setUp()

    def test_token(self):
        status, headers, _ = self.gateway.ask("POST", {})
        self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"))
        self.assertEqual(self.gateway.ask("GET", path="/metrics")[0], 401)
        self.assertEqual(self.gateway.ask("GET", path="/healthz")[0], 200)
        self.assertEqual(self.gateway.ask("GET", path="/metrics", Authorization="Bearer 0123456789abcdef")[0], 200)


class PlannedEnd(Hosted):
    def test_under_load(self):
        """Each request is answered whole, or refused; the gateway ends with 0, and leaves no connection behind."""
        problems, answered = [], []
        begun = threading.Barrier(5)

        def load():
            begun.wait()
            try:
                while True:
                    status, _, body = stateless(self.gateway, "tools/list")
                    if status == 200:
                        json.loads(body)
                        answered.append(1)
                    elif status != 503:
                        problems.append((status, body))
            except (ConnectionRefusedError, ConnectionResetError, http.client.RemoteDisconnected):
                return
            except Exception as problem:  # pylint: disable=broad-except
                problems.append(problem)

        session = Session(self.gateway)
        reader = Stream(self.gateway, "GET", **session.headers)
        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        begun.wait()
        wait_until("there is load", lambda: len(answered) > 50)
        self.assertEqual(self.gateway.end(), 0)
        for thread in threads:
            thread.join(TIMEOUT)
        self.assertEqual(list(reader.events()), [])
        reader.close()
        self.assertEqual(problems, [])


class InFrontOfTheVm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vm = VM(boot="pvh", memory=64)
        cls.gateway = Gateway(cls.vm.socket)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()
        cls.vm.close()

    def test_session(self):
        session = Session(self.gateway)
        self.assertTrue(session.tool("infer", prompt="What is MCP?")["structuredContent"]["matched"])
        self.assertIn(session.tool("health")["structuredContent"]["status"], ("ok", "degraded"))

    def test_stateless(self):
        status, _, body = stateless(self.gateway, "tools/call", {"name": "infer", "arguments": {"prompt": "What is MCP?"}}, "infer")
        self.assertEqual(status, 200, body)
        self.assertTrue(json.loads(body)["result"]["structuredContent"]["matched"])

    def test_more_sessions_than_the_vm_has_connections(self):
        sessions = [Session(self.gateway) for _ in range(100)]
        for session in sessions:
            session.request("ping")
        self.assertLessEqual(self.gateway.metrics()["server_connections"], 32)


if __name__ == "__main__":
    built = subprocess.run([MCP_CLI, "http", "--help-me"], capture_output=True, text=True, check=False)
    if "built without" in built.stderr:
        print("skipped:", built.stderr.strip())
        raise SystemExit(77)
    unittest.main(verbosity=2)
