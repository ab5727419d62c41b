#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every method in every version, right and wrong: each message of the server is checked against the published schema
of the version (python3-jsonschema), closed, so that a field of another version is noticed too.

Usage: check.py SERVER. The schemas are $MK_SHARED/mcp/<version>/schema.json (default: ../shared beside the
repository). Prints which error codes were seen for which method and version; exit status 77 where something that it
needs is missing."""
import collections
import json
import os
import pathlib
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    print("skipped: python3-jsonschema is missing (tools/setup --dev installs it)")
    sys.exit(77)

SHARED = pathlib.Path(os.environ.get("MK_SHARED", pathlib.Path(__file__).resolve().parents[3] / "shared"))
OLDER = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
STATELESS = "2026-07-28"
VERSIONS = OLDER + [STATELESS]
META = "io.modelcontextprotocol/"
PARSE, INVALID, UNKNOWN, PARAMS, INTERNAL, NOT_FOUND, UNSUPPORTED = (
    -32700, -32600, -32601, -32602, -32603, -32002, -32022)
CAPABILITY, URLS = -32021, -32042
ABLE = {"roots": {}, "sampling": {}, "elicitation": {"form": {}, "url": {}}}

# Definitions whose members are all named by the schema: another one is a mistake of ours.
CLOSED = """Tool ToolAnnotations Resource ResourceTemplate ResourceLink Prompt PromptArgument PromptMessage Implementation
Icon Annotations TextContent ImageContent AudioContent EmbeddedResource TextResourceContents BlobResourceContents
InitializeResult DiscoverResult ListToolsResult CallToolResult ListResourcesResult ListResourceTemplatesResult
ReadResourceResult ListPromptsResult GetPromptResult CompleteResult ServerCapabilities SubscriptionFilter
ProgressNotificationParams LoggingMessageNotificationParams ResourceUpdatedNotificationParams
Task ToolExecution CreateTaskResult ListTasksResult""".split()

RESULTS = {"initialize": "InitializeResult", "server/discover": "DiscoverResult", "ping": "EmptyResult",
           "tools/list": "ListToolsResult", "tools/call": "CallToolResult", "resources/list": "ListResourcesResult",
           "resources/templates/list": "ListResourceTemplatesResult", "resources/read": "ReadResourceResult",
           "resources/subscribe": "EmptyResult", "resources/unsubscribe": "EmptyResult",
           "prompts/list": "ListPromptsResult", "prompts/get": "GetPromptResult",
           "completion/complete": "CompleteResult", "logging/setLevel": "EmptyResult",
           "tasks/get": "GetTaskResult", "tasks/cancel": "CancelTaskResult", "tasks/list": "ListTasksResult",
           "tasks/result": "CallToolResult", "tasks/update": "EmptyResult"}
ONLY_OLDER = {"initialize", "ping", "resources/subscribe", "resources/unsubscribe", "logging/setLevel"}
ONLY_STATELESS = {"server/discover", "subscriptions/listen"}
LISTS = ["tools/list", "resources/list", "resources/templates/list", "prompts/list"]
CALLS = ["tools/call", "resources/read", "prompts/get", "completion/complete"]

# What each method is sent that it takes.
RIGHT = {"initialize": {"protocolVersion": "2025-11-25", "capabilities": {},
                        "clientInfo": {"name": "c", "version": "1"}},
         "server/discover": {}, "ping": {}, "tools/list": {}, "resources/list": {}, "resources/templates/list": {},
         "prompts/list": {}, "tools/call": {"name": "add", "arguments": {"a": 1}},
         "resources/read": {"uri": "file:///readme"}, "resources/subscribe": {"uri": "file:///readme"},
         "resources/unsubscribe": {"uri": "file:///readme"},
         "prompts/get": {"name": "greet", "arguments": {"name": "Bo"}},
         "completion/complete": {"ref": {"type": "ref/prompt", "name": "greet"},
                                 "argument": {"name": "name", "value": "B"}},
         "logging/setLevel": {"level": "error"}, "subscriptions/listen": {"notifications": {"toolsListChanged": True}}}
# And what it does not take.
WRONG = {"tools/call": [{}, {"name": 1}, {"name": "none"}, {"name": "add", "arguments": []},
                        {"name": "add", "arguments": None}],
         "resources/read": [{}, {"uri": 1}, {"uri": None}],
         "resources/subscribe": [{}, {"uri": []}], "resources/unsubscribe": [{}, {"uri": False}],
         "prompts/get": [{}, {"name": []}, {"name": "none"}, {"name": "greet"},
                         {"name": "greet", "arguments": {"name": 1}}, {"name": "greet", "arguments": "Bo"}],
         "completion/complete": [
             {}, {"ref": {"type": "ref/prompt", "name": "greet"}},
             {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "name"}},
             {"ref": {"type": "ref/prompt", "name": "none"}, "argument": {"name": "name", "value": ""}},
             {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "none", "value": ""}},
             {"ref": {"type": "ref/resource", "uri": "none"}, "argument": {"name": "name", "value": ""}},
             {"ref": {"type": "ref/resource", "uri": "note://{name}"}, "argument": {"name": "x", "value": ""}},
             {"ref": {"type": "ref/other"}, "argument": {"name": "x", "value": ""}},
             {"ref": 1, "argument": {"name": "x", "value": ""}}],
         "logging/setLevel": [{}, {"level": "loud"}, {"level": 1}],
         "subscriptions/listen": [{}, {"notifications": []}, {"notifications": {"toolsListChanged": 1}},
                                  {"notifications": {"resourceSubscriptions": "x"}},
                                  {"notifications": {"resourceSubscriptions": [1]}}]}


TASKS = META + "tasks"


def task_of_extension(status, member=None, kind=None):
    """What the extension io.modelcontextprotocol/tasks says of a task: its schema is not among the published ones."""
    texts = {name: {"type": "string"} for name in ("taskId", "statusMessage", "createdAt", "lastUpdatedAt")}
    numbers = {name: {"type": "integer", "minimum": 1} for name in ("ttlMs", "pollIntervalMs")}
    more = {member: kind} if member else {}
    return {"type": "object", "additionalProperties": False,
            "properties": {"resultType": {"type": "string"}, "_meta": {"type": "object"},
                           "status": {"const": status}, **texts, **numbers, **more},
            "required": ["taskId", "status", "createdAt", "lastUpdatedAt", "ttlMs", *more]}


EXTENSION = {
    "working": task_of_extension("working"), "cancelled": task_of_extension("cancelled"),
    "input_required": task_of_extension("input_required", "inputRequests", {"type": "object", "minProperties": 1}),
    "completed": task_of_extension("completed", "result", {"$ref": "#/$defs/CallToolResult"}),
    "failed": task_of_extension("failed", "error", {"$ref": "#/$defs/Error"})}


class Schema:
    def __init__(self, version):
        path = SHARED / "mcp" / version / "schema.json"
        if not path.exists():
            print(f"skipped: there is no {path}; set MK_SHARED to the folder that holds mcp/")
            sys.exit(77)
        self.whole = json.loads(path.read_text())
        self.key = "$defs" if "$defs" in self.whole else "definitions"
        self.definitions = self.whole[self.key]
        for name in CLOSED:
            if "properties" in self.definitions.get(name, {}):
                self.definitions[name]["additionalProperties"] = False
        if "SubscriptionFilter" in self.definitions:  # the extension's member
            self.definitions["SubscriptionFilter"]["properties"]["taskIds"] = {"type": "array", "items": {"type": "string"}}
        for name, definition in self.definitions.items():  # older versions have the params inline
            params = definition.get("properties", {}).get("params", {})
            if name.endswith("Notification") and name != "JSONRPCNotification" and "properties" in params:
                params["additionalProperties"] = False
        for name in ["ProgressNotification", "LoggingMessageNotification", "ResourceUpdatedNotification"]:
            params = self.definitions[name]["properties"]["params"]
            params.get("properties", {}).setdefault("_meta", {"type": "object"})
        self.notifications = {d["properties"]["method"]["const"]: n for n, d in self.definitions.items()
                              if n.endswith("Notification") and "const" in d.get("properties", {}).get("method", {})}
        self.kind = jsonschema.Draft202012Validator if self.key == "$defs" else jsonschema.Draft7Validator
        self.validators = {}

    def check(self, name, value):
        if name not in self.validators:
            # The whole schema stays the root, so that references to #/$defs are found.
            self.validators[name] = self.kind({**self.whole, "$ref": f"#/{self.key}/{name}"}
                                              if self.key == "$defs" else
                                              {"definitions": self.definitions, **self.definitions[name]})
        error = jsonschema.exceptions.best_match(self.validators[name].iter_errors(value))
        if error is not None:
            raise AssertionError(f"not a {name}: {error.message} at {list(error.absolute_path)}: {json.dumps(value)}")

    def has(self, name):
        return name in self.definitions


class Server:
    """A server process with a client of one version."""

    def __init__(self, program, version, initialise=True, capabilities=None):
        self.version = version
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if version != STATELESS and initialise:
            self.tell({"jsonrpc": "2.0", "id": "i", "method": "initialize",
                       "params": {**RIGHT["initialize"], "protocolVersion": version,
                                  "capabilities": capabilities or {}}})

    def tell(self, message):
        """Sends a message, and returns what comes before the answer to a question behind it."""
        text = message if isinstance(message, str) else json.dumps(message)
        last = {"jsonrpc": "2.0", "id": "last", "method": "server/discover", "params": {"_meta": {
            META + "protocolVersion": STATELESS, META + "clientCapabilities": {}}}}
        self.process.stdin.write(text + "\n" + json.dumps(last) + "\n")
        self.process.stdin.flush()
        answers = []
        while True:
            line = self.process.stdout.readline()
            assert line, f"the server ended at {text}"
            answer = json.loads(line)
            if isinstance(answer, dict) and answer.get("id") == "last":
                return answers
            answers.append(answer)

    def close(self):
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, f"exit status {self.process.returncode}"
        return [json.loads(line) for line in out.splitlines()]


class Check:
    def __init__(self, program):
        self.program = program
        self.schemas = {version: Schema(version) for version in VERSIONS}
        self.matrix = collections.Counter()
        self.requests = 0

    def request(self, version, method, params=None, meta=None, id=7):
        message = {"jsonrpc": "2.0", "id": id, "method": method}
        if version == STATELESS and (params is None or isinstance(params, dict)):
            params = {**(params or {}), "_meta": {META + "protocolVersion": version, META + "clientCapabilities": {},
                                                  **(meta or {})}}
        elif meta is not None:
            params = {**(params or {}), "_meta": meta}
        if params is not None:
            message["params"] = params
        return message

    def check_notification(self, version, message):
        schema = self.schemas[version]
        schema.check("JSONRPCNotification", message)
        assert message["method"] in schema.notifications, f"{version} has no {message['method']}"
        schema.check(schema.notifications[message["method"]], message)
        assert "id" not in message

    def check_error(self, version, answer, code):
        schema = self.schemas[version]
        got = answer.get("error", {}).get("code")
        assert got == code, f"expected {code}: {json.dumps(answer)}"
        without_null = {k: v for k, v in answer.items() if k != "id" or v is not None}
        if "id" not in without_null:  # JSON-RPC 2.0, section 5: null where it cannot be read; MCP's older schemas
            without_null["id"] = 0    # do not know of it
        schema.check("JSONRPCErrorResponse" if schema.has("JSONRPCErrorResponse") else "JSONRPCError", without_null)
        if code == UNSUPPORTED:
            schema.check("UnsupportedProtocolVersionError", without_null)
        if code == CAPABILITY:
            schema.check("MissingRequiredClientCapabilityError", without_null)
        if code == URLS:
            schema.check("URLElicitationRequiredError", without_null)

    def check_result(self, version, method, answer):
        schema = self.schemas[version]
        assert "result" in answer, f"no result: {json.dumps(answer)}"
        schema.check("JSONRPCResultResponse" if schema.has("JSONRPCResultResponse") else "JSONRPCResponse", answer)
        if version == STATELESS and method in ("tasks/get", "tasks/cancel"):
            self.check_extension(answer["result"]) if method == "tasks/get" else schema.check("EmptyResult", answer["result"])
        else:
            schema.check(RESULTS[method], answer["result"])

    def check_extension(self, task):
        """A task of the extension, whose results and questions are those of the version."""
        schema = self.schemas[STATELESS]
        name = "task " + task["status"]
        schema.definitions[name] = EXTENSION[task["status"]]
        schema.check(name, task)
        for question in task.get("inputRequests", {}).values():
            schema.check("InputRequest", question)

    def case(self, server, method, message, expected, id=7):
        """expected: None (no answer), "result", or an error code. Returns the answer and the notifications."""
        self.requests += 1
        version = server.version
        try:
            got = server.tell(message)
            notifications = [m for m in got if isinstance(m, dict) and "method" in m]
            answers = [m for m in got if m not in notifications]
            for notification in notifications:
                self.check_notification(version, notification)
            assert len(answers) == (expected is not None), f"{len(answers)} answers"
            answer = answers[0] if answers else None
            if answer is not None:
                assert answer["id"] == id, f"id {answer['id']}"
            if isinstance(expected, int):
                self.check_error(version, answer, expected)
            elif expected is not None:
                self.check_result(version, method, answer)
        except (AssertionError, KeyError, TypeError) as error:
            print(f"{version} {message if isinstance(message, str) else json.dumps(message)}\n  {error}", file=sys.stderr)
            sys.exit(1)
        self.matrix[(method, version, expected)] += 1
        return answer, notifications

    def run(self):
        for version in VERSIONS:
            server = Server(self.program, version)
            for method in RIGHT:
                self.check_method(server, method)
            self.check_ids(server)
            self.check_content(server)
            self.check_errors_of_handlers(server)
            self.check_pages(server)
            self.check_notifications(server)
            self.check_in_flight(server)
            self.check_asking(version)
            self.check_tasks(version)
            assert server.close() == []
            if version == STATELESS:
                self.check_stateless()
                self.check_subscriptions()
            else:
                self.check_older(version)
        self.print_matrix()

    def expectation(self, version, method):
        if method in (ONLY_OLDER if version == STATELESS else ONLY_STATELESS):
            return UNKNOWN
        if method == "initialize":
            return INVALID  # a second time
        return "stream" if method == "subscriptions/listen" else "result"

    def check_method(self, server, method):
        version = server.version
        expected = self.expectation(version, method)
        right = RIGHT[method]

        def send(params, result, meta=None):
            self.case(server, method, self.request(version, method, params, meta), result)

        if expected == "stream":
            return  # check_subscriptions
        send(right, expected)
        send({**right, "unknown": [1]}, expected)
        send(right, expected, {"progressToken": "t", "traceparent": "00-0-0-01", "example.com/x": {"y": [None]}})
        send(right, expected, {"progressToken": -5})
        for params in ([], [1], 7, "x", None, True):  # None: null
            message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
            if version == STATELESS:  # without _meta it is of the other era, where the session is not initialised
                known = method not in ("initialize", "ping")
                self.case(server, method, message, PARAMS if known else PARAMS)
            else:
                self.case(server, method, message, UNKNOWN if expected == UNKNOWN else PARAMS)
        for params in WRONG.get(method, []):
            send(params, UNKNOWN if expected == UNKNOWN else PARAMS)
        message = self.request(version, method, right)
        for jsonrpc in ("1.0", 2.0, None, ""):
            self.case(server, method, {**message, "jsonrpc": jsonrpc}, INVALID)
        for id in (1.5, True, None, [], {}):
            self.case(server, method, {**message, "id": id}, INVALID, None)
        if method in LISTS:
            for cursor in ("x", "", 1, None, "0" * 24):
                send({"cursor": cursor}, PARAMS)
        if method in CALLS:
            for token in (1.5, True, None, [], {}):
                send(right, PARAMS, {"progressToken": token})
        del message["id"]
        self.case(server, method, message, None)

    def check_ids(self, server):
        for id in (0, -1, 2 ** 53, 2 ** 80, "", "a", "\u00e9\n", "x" * 2000):
            self.case(server, "tools/list", self.request(server.version, "tools/list", id=id), "result", id)
        for message in ("{", "nul", '{"jsonrpc":"2.0","id":1,}', '"\\ud800"', ""):
            self.case(server, "(parse)", message, PARSE, None)
        for message in ("1", "null", "[]", '"x"', "{}", '{"jsonrpc":"2.0","id":{}}'):
            self.case(server, "(message)", message, INVALID, None)
        for method in ("none", "", "tools/list/", "tasks/", "roots/list", "sampling/createMessage"):
            self.case(server, "(unknown)", self.request(server.version, method), UNKNOWN)
        for message in ({"jsonrpc": "2.0", "id": 5, "result": {}}, {"jsonrpc": "2.0", "id": 5, "error": {}},
                        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": {}}},
                        {"jsonrpc": "2.0", "method": "notifications/none"}):
            self.case(server, "(silence)", message, None)

    def check_content(self, server):
        version = server.version
        for method, params in (("tools/call", {"name": "show"}), ("tools/call", {"name": "numbers"}),
                               ("tools/call", {"name": "fail"}), ("prompts/get", {"name": "show"}),
                               ("resources/read", {"uri": "file:///picture"}),
                               ("resources/read", {"uri": "note://a%20b"}),
                               ("completion/complete", {"ref": {"type": "ref/resource", "uri": "note://{name}"},
                                                        "argument": {"name": "name", "value": "m"},
                                                        "context": {"arguments": {"x": "y"}}})):
            self.case(server, method, self.request(version, method, params), "result")
        answer, _ = self.case(server, "tools/call", self.request(
            version, "tools/call", RIGHT["tools/call"], {"example.com/note": "n"}), "result")
        assert answer["result"]["_meta"]["example.com/seen"] == "n"

    def check_errors_of_handlers(self, server):
        version = server.version
        missing = PARAMS if version == STATELESS else NOT_FOUND
        for uri in ("file:///none", "note://lost", "note://a/b", ""):
            self.case(server, "resources/read", self.request(version, "resources/read", {"uri": uri}), missing)
        self.case(server, "resources/read", self.request(version, "resources/read", {"uri": "note://broken"}), INTERNAL)
        self.case(server, "prompts/get", self.request(version, "prompts/get", {"name": "fail"}), INTERNAL)
        wrong = "result" if version >= "2025-11-25" else PARAMS  # SEP-1303
        for arguments in ({}, {"a": "x"}, {"a": 1, "c": 2}):
            self.case(server, "tools/call", self.request(version, "tools/call",
                                                         {"name": "add", "arguments": arguments}), wrong)
        if version != STATELESS:
            self.case(server, "resources/subscribe",
                      self.request(version, "resources/subscribe", {"uri": "file:///none"}), NOT_FOUND)

    def check_pages(self, server):
        for method in LISTS:
            first, _ = self.case(server, method, self.request(server.version, method), "result")
            second, _ = self.case(server, method, self.request(server.version, method), "result")
            assert first == second

    def check_notifications(self, server):
        version = server.version
        call = {"name": "work"}
        meta = {"progressToken": "p", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"}
        if version == STATELESS:
            _, told = self.case(server, "tools/call", self.request(version, "tools/call", call), "result")
            assert told == [], "log messages that nobody asked for"
            levels = {META + "logLevel": "warning"}
        else:
            self.case(server, "logging/setLevel", self.request(version, "logging/setLevel", {"level": "warning"}),
                      "result")
            levels = {}
        _, told = self.case(server, "tools/call", self.request(version, "tools/call", call, {**meta, **levels}), "result")
        methods = collections.Counter(m["method"] for m in told)
        assert methods == {"notifications/message": 5, "notifications/progress": 5}, methods
        assert all(m["params"]["_meta"]["traceparent"] == meta["traceparent"] for m in told)
        if version == STATELESS:
            return
        self.case(server, "resources/subscribe",
                  self.request(version, "resources/subscribe", {"uri": "note://a"}), "result")
        for uris in ({"note://a"}, {"note://a", "file:///readme"}):
            _, told = self.case(server, "tools/call", self.request(version, "tools/call", {"name": "change"}), "result")
            assert {m["params"].get("uri") for m in told} - {None} == uris
            assert {m["method"] for m in told} == {"notifications/tools/list_changed", "notifications/message",
                                                   "notifications/resources/updated"}
            self.case(server, "resources/subscribe",
                      self.request(version, "resources/subscribe", {"uri": "file:///readme"}), "result")

    def check_in_flight(self, server):
        version = server.version
        hold = [self.request(version, "tools/call", {"name": "hold"}, id=id) for id in ("h1", "h2")]
        hold.append(self.request(version, "resources/read", {"uri": "slow:a/b"}, id="h3"))
        for message in hold:
            self.case(server, message["method"], message, None)
        for method in RIGHT:
            if self.expectation(version, method) != "stream":
                self.case(server, method, self.request(version, method, RIGHT[method], id="h1"), INVALID, "h1")
        self.case(server, "notifications/cancelled", {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {
            "requestId": "h2", "reason": "no more"}}, None)
        answers = server.tell(self.request(version, "tools/call", {"name": "let_go"}))
        assert [a["id"] for a in answers] == ["h3", "h1", 7], answers
        for answer, method in zip(answers, ("resources/read", "tools/call", "tools/call")):
            self.check_result(version, method, answer)

    def check_asking(self, version):
        """Requests of the server, or what takes their place."""
        ask = self.request(version, "tools/call", {"name": "ask"})
        server = Server(self.program, version)
        answer, _ = self.case(server, "tools/call", ask, CAPABILITY if version == STATELESS else "result")
        assert version == STATELESS or answer["result"]["isError"]
        server.close()
        server = Server(self.program, version, capabilities=ABLE)
        if version == STATELESS:
            ask["params"]["_meta"][META + "clientCapabilities"] = ABLE
            (answer,) = server.tell(ask)
            self.schemas[version].check("InputRequiredResult", answer["result"])
            for question in answer["result"]["inputRequests"].values():
                self.schemas[version].check("InputRequest", question)
            ask["params"]["requestState"] = answer["result"]["requestState"]
            self.case(server, "tools/call", ask, "result")
            ask["params"]["requestState"] += "AAAA"
            self.case(server, "tools/call", ask, PARAMS)
        else:
            questions = server.tell(ask)
            assert len(questions) == (2 if version < "2025-06-18" else 3 if version == "2025-06-18" else 4)
            for question in questions:
                self.schemas[version].check("ServerRequest", question)
                self.schemas[version].check("JSONRPCRequest", question)
            for question in questions[:-1]:
                assert server.tell({"jsonrpc": "2.0", "id": question["id"], "result": {"action": "cancel"}}) == []
            self.case(server, "tools/call", {"jsonrpc": "2.0", "id": questions[-1]["id"], "result": {}}, "result")
        server.close()

    def check_tasks(self, version):
        server = Server(self.program, version, capabilities=ABLE)
        if version == STATELESS:
            self.check_extension_tasks(server)
        elif version == "2025-11-25":
            self.check_session_tasks(server)
        else:  # there are none: the tools are called as others
            for method in ("tasks/get", "tasks/result", "tasks/cancel", "tasks/update", "tasks/list"):
                self.case(server, method, self.request(version, method, {"taskId": "x"}), UNKNOWN)
            self.case(server, "tools/call", self.request(version, "tools/call", {"name": "quick", "task": {}}), "result")
            self.case(server, "tools/call", self.request(version, "tools/call", {"name": "break"}), INTERNAL)
            self.case(server, "tools/call", self.request(version, "tools/call", {"name": "must"}, id="m"), None)
            server.tell(self.request(version, "tools/call", {"name": "let_go"}))
        visit = self.request(version, "tools/call", {"name": "visit"})
        if version == STATELESS:
            visit["params"]["_meta"][META + "clientCapabilities"] = ABLE
            (answer,) = server.tell(visit)
            self.schemas[version].check("InputRequiredResult", answer["result"])
        else:
            self.case(server, "tools/call", visit, URLS if version == "2025-11-25" else "result")
        assert server.close() == []

    def check_session_tasks(self, server):
        version = server.version
        schema = self.schemas[version]

        def send(method, params, expected, id=7):
            answer, told = self.case(server, method, self.request(version, method, params, id=id), expected, id)
            return answer, told

        def begin(name, task, told):
            """Calls a tool as a task. Returns the task, as it was created."""
            got = server.tell(self.request(version, "tools/call", {"name": name, "task": task}))
            schema.check("CreateTaskResult", got[0]["result"])
            for message in got[1:]:
                if "id" in message:
                    schema.check("ServerRequest", message)
                    assert META + "related-task" in message["params"]["_meta"]
                else:
                    self.check_notification(version, message)
            assert [m["method"].split("/", 1)[1] for m in got[1:]] == told, got
            return got[0]["result"]["task"]

        listed, _ = send("tools/list", {}, "result")
        support = {t["name"]: t.get("execution", {}).get("taskSupport") for t in listed["result"]["tools"]}
        assert (support["slow"], support["must"], support["add"]) == ("optional", "required", None)
        send("tools/call", {"name": "add", "arguments": {"a": 1}, "task": {}}, UNKNOWN)
        send("tools/call", {"name": "must"}, UNKNOWN)
        for wrong in (1, [], None, {"ttl": "1"}, {"ttl": -1}, {"ttl": 1.5}):
            send("tools/call", {"name": "slow", "task": wrong}, PARAMS)
        for method in ("tasks/get", "tasks/result", "tasks/cancel"):
            for params in ({}, {"taskId": 1}, {"taskId": ""}, {"taskId": "0" * 32}):
                send(method, params, PARAMS)
        send("tasks/update", {"taskId": "x"}, UNKNOWN)
        for cursor in ("x", "", 1, None, "0" * 24):
            send("tasks/list", {"cursor": cursor}, PARAMS)
        send("tasks/list", None, "result")

        slow, must = begin("slow", {"ttl": 5000}, []), begin("must", {}, [])
        assert slow["ttl"] == 5000 and slow["status"] == "working"
        answer, _ = send("tasks/get", {"taskId": slow["taskId"]}, "result")
        assert {k: v for k, v in answer["result"].items()} == slow
        listed, _ = send("tasks/list", {}, "result")
        assert listed["result"]["tasks"] == [slow, must]
        send("tasks/result", {"taskId": slow["taskId"]}, None, "waits")
        answer, told = send("tasks/cancel", {"taskId": must["taskId"]}, "result")
        assert answer["result"]["status"] == told[0]["params"]["status"] == "cancelled"
        send("tasks/cancel", {"taskId": must["taskId"]}, PARAMS)
        send("tasks/result", {"taskId": must["taskId"]}, PARAMS)
        told, waits, _ = server.tell(self.request(version, "tools/call", {"name": "let_go"}))
        self.check_notification(version, told)
        assert waits["id"] == "waits" and waits["result"]["_meta"][META + "related-task"] == {"taskId": slow["taskId"]}
        self.check_result(version, "tasks/result", waits)

        quick = begin("quick", {}, ["tasks/status"])
        answer, _ = send("tasks/result", {"taskId": quick["taskId"]}, "result")
        assert answer["result"]["_meta"][META + "related-task"]["taskId"] == quick["taskId"]
        broken = begin("break", {}, ["tasks/status"])
        answer, _ = send("tasks/get", {"taskId": broken["taskId"]}, "result")
        assert (answer["result"]["status"], answer["result"]["statusMessage"]) == ("failed", "broken")
        send("tasks/result", {"taskId": broken["taskId"]}, INTERNAL)
        asks = begin("ask_later", {}, ["tasks/status", "create"])
        answer, _ = send("tasks/get", {"taskId": asks["taskId"]}, "result")
        assert answer["result"]["status"] == "input_required"
        server.tell({"jsonrpc": "2.0", "id": 1, "result": {"action": "decline"}})
        send("tasks/result", {"taskId": asks["taskId"]}, "result")

    def check_extension_tasks(self, server):
        version = server.version
        schema = self.schemas[version]
        able = {META + "clientCapabilities": {**ABLE, "extensions": {TASKS: {}}}}

        def send(method, params, expected, meta=able, id=7):
            return self.case(server, method, self.request(version, method, params, meta, id), expected, id)

        def begin(name):
            (answer,) = server.tell(self.request(version, "tools/call", {"name": name}, able))
            assert answer["result"]["resultType"] == "task" and answer["result"]["status"] == "working", answer
            schema.check("Result", answer["result"])
            self.check_extension(answer["result"])
            return {"taskId": answer["result"]["taskId"]}

        send("tools/call", {"name": "must"}, CAPABILITY, None)
        send("tools/call", {"name": "quick"}, "result")
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            send(method, {"taskId": "x", "inputResponses": {}}, CAPABILITY, None)
            for params in ({}, {"taskId": 1}, {"taskId": ""}, {"taskId": "0" * 32, "inputResponses": {}}):
                send(method, params, PARAMS)
        send("tasks/result", {"taskId": "x"}, UNKNOWN)
        send("tasks/list", {}, UNKNOWN)
        send("subscriptions/listen", {"notifications": {"taskIds": ["x"]}}, CAPABILITY, None)

        slow, must = begin("slow"), begin("must")
        send("tasks/get", slow, "result")
        _, told = send("subscriptions/listen", {"notifications": {"taskIds": [slow["taskId"], "x"]}}, None, id="s")
        assert told[0]["params"]["notifications"] == {"taskIds": [slow["taskId"]]}
        send("tasks/cancel", must, "result")
        send("tasks/cancel", must, "result")
        answer, _ = send("tasks/get", must, "result")
        assert answer["result"]["status"] == "cancelled"
        told, _ = server.tell(self.request(version, "tools/call", {"name": "let_go"}))
        assert told["method"] == "notifications/tasks" and told["params"]["status"] == "completed", told
        schema.check("JSONRPCNotification", told)
        self.check_extension(told["params"])
        server.tell({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "s"}})
        answer, _ = send("tasks/get", slow, "result")
        assert META + "related-task" not in answer["result"]["result"].get("_meta", {})
        answer, _ = send("tasks/get", begin("break"), "result")
        assert answer["result"]["error"]["code"] == INTERNAL
        asks = begin("ask_later")
        answer, _ = send("tasks/get", asks, "result")
        (key,) = answer["result"]["inputRequests"]
        for wrong in ({}, {"inputResponses": []}, {"inputResponses": {key: 1}}):
            send("tasks/update", {**asks, **wrong}, PARAMS)
        send("tasks/update", {**asks, "inputResponses": {"other": 1}}, "result")
        send("tasks/update", {**asks, "inputResponses": {key: {"action": "decline"}}}, "result")
        answer, _ = send("tasks/get", asks, "result")
        assert answer["result"]["status"] == "completed"

    def check_older(self, version):
        server = Server(self.program, version, initialise=False)
        for method in RIGHT:
            if method in ("initialize", "ping"):
                continue
            self.case(server, method, self.request(version, method, RIGHT[method]), PARAMS)
        self.case(server, "ping", self.request(version, "ping"), "result")
        for params in ({}, {"protocolVersion": 1}, {"protocolVersion": version, "capabilities": 1},
                       {"protocolVersion": version, "clientInfo": []}):
            self.case(server, "initialize", self.request(version, "initialize", params), PARAMS)
        answer, _ = self.case(server, "initialize", self.request(
            version, "initialize", {**RIGHT["initialize"], "protocolVersion": version}), "result")
        assert answer["result"]["protocolVersion"] == version
        batch = json.dumps([self.request(version, "ping", id=1), self.request(version, "tools/list", id=2)])
        if version == "2025-03-26":
            (answers,) = server.tell(batch)
            self.schemas[version].check("JSONRPCBatchResponse", answers)
            assert [a["id"] for a in answers] == [1, 2]
        else:
            self.case(server, "(batch)", batch, INVALID, None)
        assert server.close() == []

    def check_stateless(self):
        server = Server(self.program, STATELESS)
        for method in RIGHT:
            known = method not in ONLY_OLDER
            for drop in ("protocolVersion", "clientCapabilities"):
                message = self.request(STATELESS, method, RIGHT[method])
                del message["params"]["_meta"][META + drop]
                self.case(server, method, message, PARAMS)
            for wrong in ({META + "protocolVersion": 1}, {META + "clientCapabilities": []},
                          {META + "clientInfo": {}}, {META + "logLevel": "loud"}):
                self.case(server, method, self.request(STATELESS, method, RIGHT[method], wrong), PARAMS)
            for version in ("1900-01-01", "2025-11-25", ""):
                self.case(server, method, self.request(STATELESS, method, RIGHT[method],
                                                       {META + "protocolVersion": version}), UNSUPPORTED)
            if known and method != "subscriptions/listen":
                self.case(server, method, self.request(STATELESS, method, RIGHT[method], {
                    META + "clientInfo": {"name": "c", "version": "1"}}), "result")
        assert server.close() == []

    def check_subscriptions(self):
        server = Server(self.program, STATELESS)
        method = "subscriptions/listen"
        for params in WRONG[method]:
            self.case(server, method, self.request(STATELESS, method, params), PARAMS)
        everything = {"notifications": {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True,
                                        "resourceSubscriptions": ["file:///readme", "file:///none", "note://a"]}}
        for id, params in (("all", everything), ("tools", RIGHT[method]), (3, {"notifications": {}})):
            _, told = self.case(server, method, self.request(STATELESS, method, params, id=id), None)
            assert [m["params"]["_meta"][META + "subscriptionId"] for m in told] == [id]
            if id == "all":
                everything["notifications"]["resourceSubscriptions"].remove("file:///none")
                assert told[0]["params"]["notifications"] == everything["notifications"]
        self.case(server, method, self.request(STATELESS, method, everything, id="all"), INVALID, "all")
        change = self.request(STATELESS, "tools/call", {"name": "change"})
        _, told = self.case(server, "tools/call", change, "result")
        assert [(m["method"].split("/", 1)[1], m["params"]["_meta"][META + "subscriptionId"]) for m in told] == [
            ("tools/list_changed", "all"), ("tools/list_changed", "tools"), ("resources/updated", "all"),
            ("resources/updated", "all")]
        server.tell({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "all"}})
        _, told = self.case(server, "tools/call", change, "result")
        assert len(told) == 1
        ends = server.close()
        assert [e["id"] for e in ends] == ["tools", 3]
        for end in ends:
            self.schemas[STATELESS].check("SubscriptionsListenResultResponse", end)

    def print_matrix(self):
        codes = [None, "result", PARSE, INVALID, UNKNOWN, PARAMS, INTERNAL, NOT_FOUND, CAPABILITY,
                 UNSUPPORTED, URLS]
        print(f"{'method':28}{'version':12}" + "".join(f"{'silence' if c is None else c:>8}" for c in codes))
        for method in sorted({m for m, _, _ in self.matrix}):
            for version in VERSIONS:
                row = [self.matrix[(method, version, c)] for c in codes]
                if any(row):
                    print(f"{method:28}{version:12}" + "".join(f"{n or '':>8}" for n in row))
        print(f"{self.requests} requests, each answer as its schema demands")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    Check(sys.argv[1]).run()
