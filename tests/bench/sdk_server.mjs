// SPDX-License-Identifier: MIT
// What mcp_server.c offers, by the TypeScript SDK's own server over its stdio transport.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The SDK lies where the benchmark has installed it, not beside this file.
const sdk = createRequire(`${process.argv[2]}/package.json`);
const load = (name) => import(pathToFileURL(sdk.resolve(name)));
const { McpServer } = await load("@modelcontextprotocol/sdk/server/mcp.js");
const { StdioServerTransport } = await load("@modelcontextprotocol/sdk/server/stdio.js");
const { z } = await load("zod");

const server = new McpServer({ name: "bench", version: "1" });
server.registerTool("add",
  { description: "Adds two numbers.", inputSchema: { a: z.number(), b: z.number() }, outputSchema: { sum: z.number() } },
  async ({ a, b }) => {
    const result = { sum: a + b };
    return { content: [{ type: "text", text: JSON.stringify(result) }], structuredContent: result };
  });
server.registerResource("a", "note://a", { mimeType: "text/plain" },
  async (uri) => ({ contents: [{ uri: uri.href, mimeType: "text/plain", text: "A short note." }] }));
process.stdin.on("end", () => process.exit(0));
await server.connect(new StdioServerTransport());
