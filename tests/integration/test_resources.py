# SPDX-License-Identifier: MIT
"""Resources, the prompt, completion, progress and notices, as clients of both eras see them."""
import json
import pathlib
import tempfile
import unittest

import vm
from vm import GUIDE, VM

FORBIDDEN, NOT_FOUND = -32003, -32002
META = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
                  "io.modelcontextprotocol/clientInfo": {"name": "integration", "version": "1"}}}


def text_of(result):
    content, = result["contents"]
    return content["text"]


def await_notification(client, method):
    """The params of the next notification of this kind; others before it are skipped."""
    while True:
        message = client.receive()
        if message.get("method") == method:
            return message["params"]


class Resources(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vm = VM(boot="pvh", memory=32, append="log=debug")

    @classmethod
    def tearDownClass(cls):
        cls.vm.close()

    def test_lists(self):
        with self.vm.client() as client:
            self.assertEqual([item["uri"] for item in client.request("resources/list")["resources"]],
                             ["logs://kernel", "models://"])
            self.assertEqual([item["uriTemplate"] for item in client.request("resources/templates/list")["resourceTemplates"]],
                             ["models://{+path}"])
            self.assertEqual([item["name"] for item in client.request("prompts/list")["prompts"]], ["ask"])

    def test_stateless(self):
        """A request of 2026-07-28 needs no initialize."""
        with self.vm.client(initialize=False) as client:
            self.assertIn("2026-07-28", client.request("server/discover", META)["supportedVersions"])
            result = client.request("resources/read", {"uri": "models://guide.kv", **META})
            self.assertEqual(json.loads(text_of(result))["path"], "guide.kv")

    def test_the_log(self):
        with self.vm.client() as client:
            text = text_of(client.request("resources/read", {"uri": "logs://kernel"}))
            self.assertIn("INFO  kernel: ready in", text)
            self.assertTrue(self.vm.serial().startswith(text.splitlines()[0]), "the same lines as on the serial port")

    def test_log_notices(self):
        with self.vm.client() as client, self.vm.client() as other:
            client.request("logging/setLevel", {"level": "warning"})
            client.request("resources/subscribe", {"uri": "logs://kernel"})
            other.request("tools/call", {"name": "load_model", "arguments": {"path": "missing.kv"}})
            notice = await_notification(client, "notifications/message")
            self.assertEqual((notice["level"], notice["logger"]), ("warning", "model"))
            self.assertIn("missing.kv", notice["data"])
            self.assertEqual(await_notification(client, "notifications/resources/updated"), {"uri": "logs://kernel"})
            other.request("ping")  # who did not ask is told nothing: the answer comes first

    def test_models(self):
        with self.vm.client() as client:
            listing = json.loads(text_of(client.request("resources/read", {"uri": "models://"})))
            self.assertEqual(listing["loaded"], "guide")
            self.assertIn("guide.kv", [model["path"] for model in listing["models"]])
            model = json.loads(text_of(client.request("resources/read", {"uri": "models://guide.kv"})))
            self.assertEqual(model["size"], GUIDE.stat().st_size)
            self.assertEqual(client.error("resources/read", {"uri": "models://nothing.kv"})["code"], NOT_FOUND)
            client.request("resources/subscribe", {"uri": "models://"})
            client.start("tools/call", {"name": "load_model", "arguments": {"path": "guide.kv"}})
            self.assertEqual(await_notification(client, "notifications/resources/updated"), {"uri": "models://"})

    def test_completion(self):
        def complete(client, reference, name, value):
            return client.request("completion/complete", {"ref": reference, "argument": {"name": name, "value": value}})[
                "completion"]["values"]

        with self.vm.client() as client:
            path = {"type": "ref/resource", "uri": "models://{+path}"}
            self.assertIn("guide.kv", complete(client, path, "path", "gu"))
            self.assertEqual(complete(client, path, "path", "x"), [])
            question = {"type": "ref/prompt", "name": "ask"}
            self.assertIn("unikernel", complete(client, question, "question", "What is a unikernel")[0].lower())

    def test_the_prompt(self):
        with self.vm.client() as client:
            messages = client.request("prompts/get", {"name": "ask", "arguments": {"question": "What is MCP?"}})["messages"]
            self.assertIn("Ask guide with the tool `infer`", messages[0]["content"]["text"])
            self.assertEqual(messages[1]["content"]["text"], "What is MCP?")


class Permission(unittest.TestCase):
    def test_resources_need_what_the_tools_need(self):
        with VM(boot="pvh", append="policy=any=health") as machine, machine.client() as client:
            for method, params in (("resources/read", {"uri": "logs://kernel"}), ("resources/read", {"uri": "models://"}),
                                   ("resources/read", {"uri": "models://guide.kv"}),
                                   ("prompts/get", {"name": "ask", "arguments": {"question": "?"}}),
                                   ("completion/complete", {"ref": {"type": "ref/resource", "uri": "models://{+path}"},
                                                            "argument": {"name": "path", "value": ""}})):
                self.assertEqual(client.error(method, params)["code"], FORBIDDEN, method)
            client.tool("health")


@unittest.skipIf(vm.why_no_share(), vm.why_no_share())
class Share(unittest.TestCase):
    def test_progress_of_a_load(self):
        with tempfile.TemporaryDirectory(prefix="mk-") as name:
            (pathlib.Path(name) / "large.txt").write_text("# microkernelia dictionary\n\n" + "".join(f"Q: question {i}\nA: {'x' * 1000}\n\n" for i in range(24000)))
            with VM(boot="pvh", memory=128, models=name) as machine, machine.client() as client:
                request = client.start("tools/call", {"name": "load_model", "arguments": {"path": "large.txt"},
                                                      "_meta": {"progressToken": "t"}})
                told = []
                while True:
                    message = client.receive()
                    if message.get("method") != "notifications/progress":
                        break
                    told.append(message["params"])
                self.assertEqual(message["id"], request)
                self.assertFalse(message["result"].get("isError"), message)
                size = (pathlib.Path(name) / "large.txt").stat().st_size
                self.assertGreater(len(told), 2)
                self.assertLess(len(told), 110)
                self.assertEqual([params["progress"] for params in told], sorted({params["progress"] for params in told}))
                self.assertEqual({(params["total"], params["progressToken"]) for params in told}, {(size, "t")})
                self.assertEqual(told[-1]["progress"], size)
                listing = json.loads(text_of(client.request("resources/read", {"uri": "models://"})))
                self.assertIn({"path": "large.txt", "size": size, "from": "share"}, listing["models"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
