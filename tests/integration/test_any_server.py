# SPDX-License-Identifier: MIT
"""mcp-cli as the client of servers that are not the kernel: the official server-everything by stdio and Streamable HTTP, and the
conformance server by stdio and behind `mcp-cli http`, in both eras. No VM; npm installs server-everything into the build folder."""
import fcntl
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import unittest

from vm import BUILD, MCP_CLI, ROOT, TIMEOUT, Folder, free_port

NPM = BUILD / "tests" / "integration" / "npm-everything"
PACKAGE = "@modelcontextprotocol/server-everything@2026.8.31"
EVERYTHING = NPM / "node_modules" / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js"
CONFORMANCE = BUILD / "tests" / "conformance" / "conformance-server"
COMPLETIONS = ROOT / "tools" / "mcp-cli" / "completions"


def install():
    """Installs the package, unless it is there. Returns "", or why that is not possible."""
    NPM.mkdir(parents=True, exist_ok=True)
    with (NPM / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = NPM / "installed"
        if done.exists() and done.read_text() == PACKAGE:
            return ""
        if shutil.which("npm") is None:
            return "npm is missing (Debian: npm)"
        shutil.rmtree(NPM / "node_modules", ignore_errors=True)
        (NPM / "package.json").write_text("{}\n")
        try:
            npm = subprocess.run(["npm", "install", "--prefix", NPM, "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE],
                                 capture_output=True, text=True, check=False, timeout=150)
        except subprocess.TimeoutExpired:
            return "npm install takes too long"
        if npm.returncode:
            return f"npm cannot install {PACKAGE}: {npm.stderr.strip()}"
        done.write_text(PACKAGE)
        return ""


def wait_for_port(port):
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on port {port}")


class Client(unittest.TestCase):
    """What each of the tests does with mcp-cli."""
    where = ()
    folder = None

    def cli(self, *words, status=0, text=None, where=None):
        done = subprocess.run([MCP_CLI, "--quiet", *(self.where if where is None else where), *map(str, words)], input=text, text=True,
                              stdin=None if text is not None else subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=TIMEOUT, env=self.folder.environment, cwd=self.folder.path)
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
        return done.stderr if status else done.stdout

    def json(self, *words):
        return json.loads(self.cli("--json", *words))


class EverythingByStdio(Client):
    arguments = ["stdio"]

    @classmethod
    def setUpClass(cls):
        reason = install()
        if reason:
            raise unittest.SkipTest(reason)
        cls.folder = Folder()
        cls.addClassCleanup(cls.folder.close)
        cls.start()

    @classmethod
    def start(cls):
        cls.name_server({"command": "node", "args": ["${EVERYTHING}", "stdio"], "env": {"MCP_TEST": "from the file"}})

    @classmethod
    def name_server(cls, entry):
        cls.folder.environment["EVERYTHING"] = str(EVERYTHING)
        (cls.folder.path / ".mcp.json").write_text(json.dumps({"mcpServers": {"everything": entry}}))
        cls.where = ("--server", "everything")

    def test_tools(self):
        self.assertIn("echo", [tool["name"] for tool in self.json("tools")])
        self.assertEqual(self.cli("call", "echo", "message=hi"), "Echo: hi\n")
        self.assertIn("5", self.cli("call", "get-sum", "a=2", "b=3"))
        self.assertEqual(self.cli("call", "echo", "-", text='{"message": "by stdin"}'), "Echo: by stdin\n")
        (self.folder.path / "text").write_text("of a file")
        self.assertEqual(self.cli("call", "echo", "message=@text"), "Echo: of a file\n")
        self.assertIn("did you mean 'message'", self.cli("call", "echo", "mesage=x", status=2))
        self.assertIn("did you mean 'echo'", self.cli("call", "ehco", "message=x", status=1))
        self.cli("call", "get-sum", "a=2", status=1)
        self.assertIn("temperature", self.json("call", "get-structured-content", "location=New York"))
        self.assertIn("image/png", self.cli("call", "get-tiny-image"))
        self.assertIn("Research", self.cli("call", "simulate-research-query", "topic=unikernels"))
        self.assertIn("completed", self.cli("call", "trigger-long-running-operation", "duration=1", "steps=5"))

    def test_resources(self):
        listed = self.json("resources")
        self.assertEqual(len(listed["resourceTemplates"]), 2)
        self.assertIn("#", self.cli("read", listed["resources"][0]["uri"]))
        self.cli("read", "demo://resource/dynamic/blob/1", "--output", "blob")
        self.assertIn(b"Resource 1", (self.folder.path / "blob").read_bytes())
        self.cli("read", "demo://nowhere", status=1)

    def test_prompts(self):
        self.assertIn("completable-prompt", self.cli("prompts"))
        self.assertIn("Berlin", self.cli("prompt", "args-prompt", "city=Berlin"))
        self.assertEqual(self.cli("complete", "completable-prompt", "department=S"), "Sales\nSupport\n")
        self.assertEqual(self.cli("complete", "completable-prompt", "name=F", "department=Sales"), "Frank\n")
        self.assertIn("did you mean 'args-prompt'", self.cli("prompt", "args-promt", status=1))

    def test_the_rest(self):
        self.assertEqual(self.json("info")["era"], "initialize")
        self.cli("ping")
        self.assertIn("does not speak 2026-07-28", self.cli("--protocol-era", "stateless", "ping", status=3))
        self.assertIn("everything", self.cli("servers", where=()))
        self.assertIn("did you mean 'everything'", self.cli("--server", "everythin", "ping", status=2, where=()))


class EverythingByHttp(EverythingByStdio):
    @classmethod
    def start(cls):
        port = free_port()
        process = subprocess.Popen(["node", EVERYTHING, "streamableHttp"], env=os.environ | {"PORT": str(port)},
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.kill)
        wait_for_port(port)
        cls.name_server({"type": "http", "url": f"http://127.0.0.1:{port}/mcp"})


class ConformanceByStdio(Client):
    @classmethod
    def setUpClass(cls):
        if not CONFORMANCE.exists():
            raise unittest.SkipTest(f"{CONFORMANCE} is not built")
        cls.folder = Folder()
        cls.addClassCleanup(cls.folder.close)
        cls.start()

    @classmethod
    def start(cls):
        cls.where = ("--command", str(CONFORMANCE))

    def test_both_eras(self):
        for era in ("initialize", "stateless"):
            with self.subTest(era=era):
                self.assertEqual(self.json("--protocol-era", era, "info")["era"], era)
                self.cli("--protocol-era", era, "call", "test_simple_text")
                self.cli("--protocol-era", era, "call", "test_tool_with_progress")
                self.cli("--protocol-era", era, "call", "test_error_handling", status=1)
                self.assertIn("test://static-text", self.cli("--protocol-era", era, "resources"))
                self.cli("--protocol-era", era, "read", "test://static-text")
                self.cli("--protocol-era", era, "read", "test://template/7/data")
                self.cli("--protocol-era", era, "prompt", "test_prompt_with_arguments", "arg1=a", "arg2=b")
                self.cli("--protocol-era", era, "ping")

    def test_tasks(self):
        self.assertIn("Computed", self.cli("call", "slow_compute", "seconds=0.2"))
        self.assertIn("intentionally", self.cli("call", "failing_job", status=1))
        self.assertIn("intentionally", self.cli("call", "protocol_error_job", status=1))

    def test_input(self):
        """Roots are answered in the midst of a call; a person is not there to be asked."""
        self.assertIn("file://", self.cli("--root", self.folder.path, "call", "test_input_required_result_list_roots"))
        self.cli("call", "test_input_required_result_sampling", status=1)


class ConformanceByHttp(ConformanceByStdio):
    """Behind our gateway: frames on a socket, HTTP in front."""
    @classmethod
    def start(cls):
        port = free_port()
        path = cls.folder.path / "server.sock"
        for command in ([CONFORMANCE, "--socket", path], [MCP_CLI, "--socket", path, "http", "--listen", f"127.0.0.1:{port}"]):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=cls.folder.environment)
            cls.addClassCleanup(process.wait)
            cls.addClassCleanup(process.kill)
            end = time.monotonic() + TIMEOUT
            while not path.exists() and time.monotonic() < end:
                time.sleep(0.02)
        wait_for_port(port)
        cls.where = ("--server", f"http://127.0.0.1:{port}/mcp")


class Completion(ConformanceByStdio):
    """What a Tab offers, by the scripts that the program prints; the names come from the conformance server."""
    test_both_eras = test_input = test_tasks = None

    def test_script_is_the_installed_one(self):
        for shell, name in (("bash", "mcp-cli.bash"), ("zsh", "_mcp-cli"), ("fish", "mcp-cli.fish")):
            self.assertEqual(self.cli("completion", shell), (COMPLETIONS / name).read_text())

    def test_bash(self):
        script = """source <("$1" completion bash); PATH=${1%/*}:$PATH; shift
                    compopt() { :; }
                    for COMP_LINE; do COMP_POINT=${#COMP_LINE}; _mcp_cli; printf '<%s>' "${COMPREPLY[@]}"; echo; done"""
        server = f"mcp-cli --command {CONFORMANCE}"
        expected = {"mcp-cli ca": "<call >", "mcp-cli --protocol-era s": "<stateless >", "mcp-cli std": "<stdio >",
                    f"{server} call test_simple": "<test_simple_text >", f"{server} call add ": "<a=><b=>",
                    f"{server} read test://static-t": "<//static-text >", f"{server} call nope ": "<>",
                    f"{server} prompt test_simple": "<test_simple_prompt >", "mcp-cli completion z": "<zsh >"}
        done = subprocess.run(["bash", "-c", script, "bash", str(MCP_CLI), *expected], capture_output=True, text=True, check=True,
                              timeout=TIMEOUT, env=self.folder.environment, cwd=self.folder.path)
        self.assertEqual(done.stdout.splitlines(), list(expected.values()), done.stderr)

    def test_a_projects_program_is_not_started(self):
        """A Tab must not run what lies in a folder."""
        (self.folder.path / ".mcp.json").write_text(json.dumps({"mcpServers": {"mine": {"command": "touch", "args": ["started"]}}}))
        self.assertEqual(self.cli("__complete", "--", "--server", "m", where=()), "mine \n")
        self.assertEqual(self.cli("__complete", "--", "--server", "mine", "call", "", where=()), "")
        self.assertFalse((self.folder.path / "started").exists())

    def test_syntax(self):
        for shell, words, name in (("zsh", ["-n"], "_mcp-cli"), ("fish", ["--no-execute"], "mcp-cli.fish")):
            with self.subTest(shell=shell):
                if shutil.which(shell) is None:
                    self.skipTest(f"{shell} is not installed (tools/setup --dev installs it)")
                subprocess.run([shell, *words, COMPLETIONS / name], check=True, timeout=TIMEOUT)

    def test_fish(self):
        if shutil.which("fish") is None:
            self.skipTest("fish is not installed (tools/setup --dev installs it)")
        line = f"mcp-cli --command {CONFORMANCE} call test_simple"
        script = f"source {COMPLETIONS / 'mcp-cli.fish'}; complete -C'{line}'"
        path = f"{pathlib.Path(MCP_CLI).parent}:{os.environ['PATH']}"
        done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True, timeout=TIMEOUT,
                              env=self.folder.environment | {"PATH": path}, cwd=self.folder.path)
        self.assertIn("test_simple_text", done.stdout.split())


if __name__ == "__main__":
    unittest.main(verbosity=2)
