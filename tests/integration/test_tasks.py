# SPDX-License-Identifier: MIT
"""infer and load_model as tasks, in both forms of the protocol: polled, from another connection, other clients' kept apart."""
import time
import unittest

from vm import VM

QUESTION = {"name": "infer", "arguments": {"prompt": "What is MCP?"}}
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}
PLAIN = dict(META, **{"io.modelcontextprotocol/clientCapabilities": {}})


def stateless(params, meta=None):
    return dict(params, _meta=meta or META)


def wait_for(client, task, params=lambda params: params):
    """The task when it works no more."""
    end = time.monotonic() + 30
    while True:
        state = client.request("tasks/get", params({"taskId": task}))
        if state["status"] not in ("working", "input_required") or time.monotonic() > end:
            return state
        time.sleep(0.02)


class Tasks(unittest.TestCase):
    def test_2025_11_25(self):
        with VM(boot="pvh") as machine, machine.client() as client, machine.client() as other:
            created = client.request("tools/call", dict(QUESTION, task={"ttl": 60000}))["task"]
            self.assertEqual(wait_for(client, created["taskId"])["status"], "completed")
            result = client.request("tasks/result", {"taskId": created["taskId"]})
            self.assertIn("Model Context Protocol", result["structuredContent"]["text"])
            self.assertEqual(result["_meta"]["io.modelcontextprotocol/related-task"]["taskId"], created["taskId"])
            self.assertIn(created["taskId"], [task["taskId"] for task in client.request("tasks/list")["tasks"]])
            # It belongs to its session.
            self.assertEqual(other.error("tasks/get", {"taskId": created["taskId"]})["code"], -32602)
            self.assertEqual(other.request("tasks/list")["tasks"], [])
            # What is no task's business.
            self.assertIn("code", client.error("tools/call", {"name": "health", "task": {}}))

    def test_2026_07_28(self):
        with VM(boot="pvh") as machine, machine.client(initialize=False) as client:
            created = client.request("tools/call", stateless(QUESTION))
            self.assertEqual(created["resultType"], "task")
            task = created["taskId"]
            with machine.client(initialize=False) as again:  # the same client, on another connection
                state = wait_for(again, task, stateless)
                self.assertEqual(state["status"], "completed")
                self.assertIn("Model Context Protocol", state["result"]["structuredContent"]["text"])
            # Who has no tasks is answered as ever.
            self.assertEqual(client.request("tools/call", stateless(QUESTION, PLAIN))["resultType"], "complete")
            missing = client.request("tools/call", stateless({"name": "load_model", "arguments": {"path": "none"}}))
            state = wait_for(client, missing["taskId"], stateless)
            self.assertTrue(state["result"]["isError"])
            # One that is over cannot be cancelled any more; an unknown one is unknown.
            self.assertIn("code", client.error("tasks/get", stateless({"taskId": "0" * 32})))


if __name__ == "__main__":
    unittest.main()
