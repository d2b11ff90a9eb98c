import assert from "@std/assert";
import { HttpServer } from "../../src/common/http/http_server.ts";
import type { Logger } from "../../src/common/log.ts";
import { sendRaw } from "../support/http_program.ts";
import { permitted } from "../support/permitted.ts";

const request = (line: string, headers = "") => `${line}\r\nHost: localhost\r\n${headers}\r\n`;
const get = (path: string) => request(`GET ${path} HTTP/1.1`);
const tunnel = request("CONNECT localhost:80 HTTP/1.1");
const offer = request("GET /offer HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n");

/** What is sent by a connection, and the answers to it, the last of which ends it. */
const odd: readonly (readonly [string, string, readonly string[]])[] = [
  ["a tunnel", tunnel, ["501"]],
  ["a tunnel behind another request, and one behind it", get("/1") + tunnel + get("/2"), ["/1", "501"]],
  [
    "an offer to change the protocol behind another request, and one behind it",
    get("/1") + offer + get("/2"),
    ["/1", "501"],
  ],
  ["HTTP/2 in plain text", request("GET / HTTP/2.0"), ["505"]],
  ["a target of another kind", request("GET ftp://localhost/ HTTP/1.1"), ["400"]],
  ["a target with a user", request("GET http://u:p@localhost/ HTTP/1.1"), ["400"]],
  ["a target of another kind, in capitals", request("GET WS://localhost/ HTTP/1.1"), ["400"]],
];

const log: Logger = { debug() {}, info() {}, warn() {}, error() {} };

for (const [what, bytes, expected] of odd) {
  Deno.test({
    name: `${what}: every request before it is answered, and it is the last`,
    ignore: !permitted,
    async fn() {
      const server = new HttpServer({
        address: { hostname: "127.0.0.1", port: 0 },
        log,
        handler: async ({ url }) => {
          await new Promise((resolve) => setTimeout(resolve, 0));
          return new Response(`${new URL(url).pathname} `);
        },
      });
      const answer = await sendRaw(server.port, bytes);
      const ended = server.shutdown();
      server.close();
      await ended;
      const answers = answer.split(/(?=HTTP\/1\.1 \d{3})/).map((one) =>
        one.startsWith("HTTP/1.1 200") ? one.split("\r\n\r\n")[1]?.trim() : one.slice(9, 12)
      );
      assert.deepEqual(answers, expected, answer);
      assert.match(answer.slice(answer.lastIndexOf("HTTP/1.1")), /\r\nconnection: close\r\n/i);
    },
  });
}
