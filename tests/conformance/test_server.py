#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""conformance-server without the suite, which needs the network: every tool, resource and prompt in each version that has
it, in lines, frames and tagged frames; clients that are rude or gone.

Usage: test_server.py SERVER"""
import contextlib
import json
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

PROGRAM = sys.argv[1]
TIMEOUT = 60
OLDER = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
STATELESS = "2026-07-28"
META = "io.modelcontextprotocol/"
TASKS = META + "tasks"
ABLE = {"roots": {}, "sampling": {}, "elicitation": {"form": {}}}
ARGUMENTS = {"greet": {"name": "Bo"}, "add": {"a": 1, "b": 2}, "json_schema_2020_12_tool": {"email": "e"},
             "test_sampling": {"prompt": "Hi"}, "test_elicitation": {"message": "Hi"}, "slow_compute": {"seconds": 0.1}}
PROMPT_ARGUMENTS = {"test_prompt_with_arguments": {"arg1": "a", "arg2": "b"},
                    "test_prompt_with_embedded_resource": {"resourceUri": "test://static-text"}}
# Those whose answer is an error, by their name or for a client of that kind.
FAILING = {"test_error_handling", "failing_job", "protocol_error_job"}
FORM = {"name": "Al", "color": "blue", "ok": True, "value": "x", "context": "y", "confirm": True, "username": "u",
        "email": "e@example.com"}
ANSWERS = {"elicitation/create": {"action": "accept", "content": FORM}, "roots/list": {"roots": [{"uri": "file:///a"}]},
           "sampling/createMessage": {"role": "assistant", "model": "m", "content": {"type": "text", "text": "Paris"}}}


class Client:
    """One connection, of either kind; `form` is lines, frames or tagged."""

    def __init__(self, stream, form, version, tasks=False):
        self.stream = stream
        self.form = form
        self.version = version
        self.able = {**ABLE, "extensions": {TASKS: {}}} if tasks else ABLE
        self.last_id = 0
        self.received = []  # (tag, notification)
        if version != STATELESS:
            self.result("initialize", {"protocolVersion": version, "capabilities": ABLE,
                                       "clientInfo": {"name": "c", "version": "1"}})

    def send(self, message):
        text = json.dumps(message).encode()
        header = {"lines": b"", "frames": struct.pack(">I", len(text)),
                  "tagged": struct.pack(">BBHH", 1, len(text) >> 16, len(text) & 0xFFFF, 0)}[self.form]
        self.stream.write(header + text + (b"\n" if self.form == "lines" else b""))
        self.stream.flush()

    def read(self, size):
        data = self.stream.read(size)
        assert len(data) == size, "the connection has ended"
        return data

    def receive(self):
        """The next message, and its tag (None: the form has none)."""
        if self.form == "lines":
            line = self.stream.readline()
            assert line, "the connection has ended"
            return None, json.loads(line)
        if self.form == "frames":
            return None, json.loads(self.read(struct.unpack(">I", self.read(4))[0]))
        kind, high, low, tag = struct.unpack(">BBHH", self.read(6))
        assert kind == 1
        return self.read(tag).decode(), json.loads(self.read(high << 16 | low))

    def start(self, method, params=None, **meta):
        self.last_id += 1
        params = dict(params or {})
        if self.version == STATELESS:
            meta = {META + "protocolVersion": STATELESS, META + "clientCapabilities": self.able, **meta}
        if meta:
            params["_meta"] = meta
        self.send({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params})
        return self.last_id

    def answer(self, request):
        """The answer to a request; what the server asks meanwhile is answered."""
        while True:
            tag, message = self.receive()
            if "method" not in message:
                assert message["id"] == request and tag in (None, str(request)), (tag, message)
                return message
            if "id" in message:
                assert tag in (None, str(request)), (tag, message)
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": ANSWERS[message["method"]]})
            else:
                self.received.append((tag, message))

    def result(self, method, params=None, **meta):
        """The result, after as many rounds as it takes."""
        params = dict(params or {})
        while True:
            answer = self.answer(self.start(method, params, **meta))
            result = answer.get("result")
            assert result is not None, f"{self.version} {method} {params}: {answer}"
            if result.get("resultType") != "input_required":
                return result
            params["inputResponses"] = {key: ANSWERS[asked["method"]] for key, asked in result["inputRequests"].items()}
            params.pop("requestState", None)
            if "requestState" in result:
                params["requestState"] = result["requestState"]

    def notices(self, method):
        found = [(tag, message["params"]) for tag, message in self.received if message["method"] == method]
        self.received = []
        return found


class Server:
    """The program at a socket."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "socket"
        self.process = subprocess.Popen([PROGRAM, "--socket", self.path])

    def connect(self):
        while True:
            stream = socket.socket(socket.AF_UNIX)
            stream.settimeout(TIMEOUT)
            with contextlib.suppress(OSError):
                stream.connect(str(self.path))
                return stream
            stream.close()
            assert self.process.poll() is None, "conformance-server has ended"

    def client(self, form="frames", version="2025-11-25", tasks=False):
        with self.connect() as stream:
            return Client(stream.makefile("rwb"), form, version, tasks)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(TIMEOUT) == 0 and not self.path.exists()


def call(client, name, **meta):
    return client.result("tools/call", {"name": name, "arguments": ARGUMENTS.get(name, {})}, **meta)


def everything(client):
    """Uses all that there is."""
    has_forms = client.version not in OLDER[:2]
    for tool in client.result("tools/list")["tools"]:
        name = tool["name"]
        if name == "test_dynamic_tool":
            continue  # another tool of the list takes it away
        alone = tool.get("execution", {}).get("taskSupport") == "required" or (
            client.version == STATELESS and name in ONLY_TASKS)
        if name in FAILING or alone or (not has_forms and ("elicitation" in name or name in NEEDS_FORMS)):
            answer = client.answer(client.start("tools/call", {"name": name, "arguments": {}}))
            assert "error" in answer or answer["result"].get("isError"), f"{client.version} {name}: {answer}"
            continue
        result = call(client, name)
        assert result["content"] and not result.get("isError"), f"{client.version} {name}: {result}"
    for prompt in client.result("prompts/list")["prompts"]:
        if has_forms or prompt["name"] not in NEEDS_FORMS:
            params = {"name": prompt["name"], "arguments": PROMPT_ARGUMENTS.get(prompt["name"], {})}
            assert client.result("prompts/get", params)["messages"]
    for resource in client.result("resources/list")["resources"]:
        assert client.result("resources/read", {"uri": resource["uri"]})["contents"][0]["uri"] == resource["uri"]
    template, = client.result("resources/templates/list")["resourceTemplates"]
    data = client.result("resources/read", {"uri": template["uriTemplate"].replace("{id}", "42")})["contents"][0]["text"]
    assert json.loads(data) == {"id": "42", "templateTest": True, "data": "Data for ID: 42"}
    for ref, argument, value, count in (({"type": "ref/prompt", "name": "test_prompt_with_arguments"}, "arg1", "par", 3),
                                        ({"type": "ref/resource", "uri": template["uriTemplate"]}, "id", "12", 2)):
        done = client.result("completion/complete", {"ref": ref, "argument": {"name": argument, "value": value}})
        assert len(done["completion"]["values"]) == count, done


ONLY_TASKS = {"failing_job", "test_tool_with_task"}
NEEDS_FORMS = {"test_input_required_result_request_state", "test_input_required_result_tampered_state",
               "test_input_required_result_multiple_inputs", "test_input_required_result_multi_round",
               "test_input_required_result_prompt", "confirm_delete", "multi_input", "test_tool_with_task"}


def test_everything(server):
    for form, version in (("frames", OLDER[0]), ("lines", OLDER[1]), ("frames", OLDER[2]), ("tagged", OLDER[3]),
                          ("tagged", STATELESS)):
        everything(server.client(form, version))


def test_notices(server):
    """Progress and log messages belong to their request, changes to nobody's."""
    client = server.client("tagged")
    call(client, "test_tool_with_progress", progressToken="p")
    assert [(tag, params["progress"]) for tag, params in client.notices("notifications/progress")] == [
        (str(client.last_id), progress) for progress in (0, 50, 100)]
    call(client, "test_tool_with_logging")
    assert [tag for tag, _ in client.notices("notifications/message")] == [str(client.last_id)] * 3
    client.result("resources/subscribe", {"uri": "test://watched-resource"})
    for trigger, notice in (("tool", "tools/list_changed"), ("prompt", "prompts/list_changed"),
                            ("resource", "resources/updated")):
        call(client, f"test_trigger_{trigger}_change")
        (tag, _), = client.notices("notifications/" + notice)
        assert tag == "", notice


def test_cancel(server):
    """A call that is cancelled is not answered; the next one is."""
    client = server.client()
    cancelled = client.start("tools/call", {"name": "test_tool_with_progress", "arguments": {}})
    client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": cancelled}})
    call(client, "test_tool_with_progress")


def test_tasks(server):
    """In 2025-11-25 the client asks for a task, in 2026-07-28 the server makes one."""
    for name, word in (("slow_compute", "Computed"), ("confirm_delete", "Deleted"), ("multi_input", "Al"),
                       ("test_tool_with_task", "Al")):
        client = server.client()
        created = client.result("tools/call", {"name": name, "arguments": ARGUMENTS.get(name, {}), "task": {}})["task"]
        assert created["createdAt"] > "2026", created
        result = client.result("tasks/result", {"taskId": created["taskId"]})
        assert word in result["content"][0]["text"], result

        client = server.client("tagged", STATELESS, tasks=True)
        task = call(client, name)
        while task.get("status") != "completed":
            time.sleep(0.02)
            task = server.client("frames", STATELESS, tasks=True).result("tasks/get", {"taskId": task["taskId"]})
            assert task["status"] in ("working", "input_required", "completed"), task
            for key, asked in task.get("inputRequests", {}).items():
                client.result("tasks/update", {"taskId": task["taskId"],
                                               "inputResponses": {key: ANSWERS[asked["method"]]}})
        assert word in task["result"]["content"][0]["text"], task
    for name, status in (("failing_job", "completed"), ("protocol_error_job", "failed")):
        task = call(client, name)
        while task["status"] == "working":
            time.sleep(0.02)
            task = client.result("tasks/get", {"taskId": task["taskId"]})
        assert task["status"] == status and (status == "failed" or task["result"]["isError"]), task


def test_tampering(server):
    client = server.client("frames", STATELESS)
    params = {"name": "test_input_required_result_tampered_state", "arguments": {}}
    state = client.answer(client.start("tools/call", params))["result"]["requestState"]
    params["inputResponses"] = {"confirm": ANSWERS["elicitation/create"]}
    for wrong, code in ((state[:-4] + "AAAA", -32602), (state + "AAAA", -32602)):
        assert client.answer(client.start("tools/call", {**params, "requestState": wrong}))["error"]["code"] == code


def test_rude_clients(server):
    with server.connect() as stream:
        stream.sendall(b"POST / HTTP/1.1\r\n\r\n")
        assert b'"error"' in stream.makefile("rb").read()
    client = server.client()
    client.stream.write(struct.pack(">I", (1 << 20) + 1) + bytes((1 << 20) + 1))
    client.stream.flush()
    assert client.receive()[1]["error"]["code"] == -32001
    client.result("ping")
    for _ in range(20):  # gone in the midst of a call
        gone = server.client()
        gone.start("tools/call", {"name": "test_reconnection", "arguments": {}})
        gone.stream.close()
    client.result("ping")


def test_standard_streams():
    """What was asked before the end of the input is answered after it."""
    with subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in (
            {"jsonrpc": "2.0", "id": 1, "method": "initialize",
             "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "test_reconnection", "arguments": {}}},
            {"jsonrpc": "2.0", "id": 3, "method": "ping"})))
        process.stdin.close()
        ids = [json.loads(line)["id"] for line in process.stdout]
        assert ids == [1, 3, 2] and process.wait(TIMEOUT) == 0, (ids, process.returncode)


def main():
    test_standard_streams()
    with tempfile.TemporaryDirectory(prefix="mk-") as folder:
        server = Server(folder)
        try:
            for test in (test_everything, test_notices, test_cancel, test_tasks, test_tampering, test_rude_clients):
                test(server)
                print(f"{test.__name__}: passed", flush=True)
            waiting = server.client()  # its call is not answered when the server ends
            waiting.start("tools/call", {"name": "test_reconnection", "arguments": {}})
            server.close()
        finally:
            server.process.kill()
            server.process.wait()
    for arguments in (["--socket"], ["--sock", "x"], ["x"]):
        assert subprocess.run([PROGRAM, *arguments], stderr=subprocess.DEVNULL, check=False).returncode == 2
    long = subprocess.run([PROGRAM, "--socket", "/tmp/" + "x" * 200], stderr=subprocess.PIPE, text=True, check=False)
    assert long.returncode == 1 and "too long" in long.stderr, long


main()
