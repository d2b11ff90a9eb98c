/** An endpoint in front of any server at all, whose calls go through no tools. */
import { Exchanges } from "../../src/common/http/exchanges.ts";
import { type EndpointOptions, McpEndpoint } from "../../src/common/http/mcp_endpoint.ts";
import { createLogger } from "../../src/common/log.ts";
import { Pipeline } from "../../src/common/pipeline.ts";
import { RateLimiter } from "../../src/common/rate_limit.ts";

/** Makes it; one exchange at once, unless `options` say otherwise. */
export function bareEndpoint(
  options: Pick<EndpointOptions, "makeServer" | "longestMs"> & Partial<EndpointOptions>,
): McpEndpoint {
  const log = createLogger("off");
  const pipeline = new Pipeline({
    tools: [],
    audit: { write() {}, close() {} },
    log,
    rateLimiter: new RateLimiter(0),
    answerCacheSeconds: 0,
    maxOutputBytes: 32_768,
    deadlineMs: 1_000,
  });
  return new McpEndpoint({ pipeline, log, exchanges: new Exchanges(1), ...options });
}
