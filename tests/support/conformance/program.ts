/**
 * The HTTP layer and the pipeline of the real programs, around the fixtures that the MCP conformance suite asks for.
 * Started as `deno run … program.ts --http HOST:PORT`.
 */
import { McpServer } from "@modelcontextprotocol/server";
import { parseCommand } from "../../../src/common/arguments.ts";
import { openAuditLog } from "../../../src/common/audit.ts";
import { Environment } from "../../../src/common/env.ts";
import { HttpFront } from "../../../src/common/http/serve.ts";
import { readHttpSettings } from "../../../src/common/http/settings.ts";
import { createLogger } from "../../../src/common/log.ts";
import { Pipeline } from "../../../src/common/pipeline.ts";
import type { Backend } from "../../../src/common/program.ts";
import { RateLimiter } from "../../../src/common/rate_limit.ts";
import { registerInputRequired, stateCodec } from "./input_required.ts";
import { registerPrompts, registerResources } from "./resources_and_prompts.ts";
import { throughPipeline } from "./through_pipeline.ts";
import { registerTools } from "./tools.ts";

const command = parseCommand(Deno.args);
if (command.name !== "serve" || command.http === undefined) throw new Error("start it with --http");
const log = createLogger("warn");
const backend: Backend = {
  tools: [],
  deadlineMs: 30_000,
  check: () => Promise.resolve("well"),
  close: () => Promise.resolve(),
};
const front = await HttpFront.open({
  program: "conformance",
  address: command.http,
  settings: readHttpSettings(new Environment(), command.http),
  backend,
  log,
});
const pipeline = new Pipeline({
  tools: [],
  audit: openAuditLog("stderr", "conformance"),
  log,
  rateLimiter: new RateLimiter(0),
  answerCacheSeconds: 0,
  maxOutputBytes: 32_768,
  deadlineMs: backend.deadlineMs,
  observer: front.observer,
});
const cacheHint = { ttlMs: 60_000, cacheScope: "private" } as const;
await front.serve({
  pipeline,
  stopSignals: ["SIGTERM", "SIGINT"],
  makeServer: (client) => {
    const server = new McpServer({ name: "conformance", version: "1.0.0" }, {
      capabilities: { logging: {}, completions: {}, resources: { subscribe: true } },
      requestState: { verify: stateCodec.verify },
      cacheHints: {
        "tools/list": cacheHint,
        "prompts/list": cacheHint,
        "resources/list": cacheHint,
        "resources/templates/list": cacheHint,
        "resources/read": cacheHint,
      },
    });
    const run = throughPipeline(server.server, pipeline, client);
    registerTools(server, run);
    registerResources(server, run);
    registerPrompts(server);
    registerInputRequired(server, run);
    return server;
  },
});
Deno.exit(0);
