import assert from "@std/assert";
import { parseCommand } from "../../src/common/arguments.ts";
import { StartError } from "../../src/common/errors.ts";
import { isLoopback } from "../../src/common/listen_address.ts";

const addresses: readonly (readonly [readonly string[], string, number])[] = [
  [["--http"], "127.0.0.1", 8080],
  [["--http="], "127.0.0.1", 8080],
  [["--http", ":8081"], "127.0.0.1", 8081],
  [["--http", "8081"], "127.0.0.1", 8081],
  [["--http=8081"], "127.0.0.1", 8081],
  [["--http", "0.0.0.0:80"], "0.0.0.0", 80],
  [["--http", "[::1]:8080"], "::1", 8080],
  [["--http", "mcp.example.com:8080"], "mcp.example.com", 8080],
  [["--http", "--check"], "127.0.0.1", 8080],
];

for (const [args, hostname, port] of addresses) {
  Deno.test(`${args.join(" ")} listens on ${hostname}, port ${port}`, () => {
    const command = parseCommand(args);
    assert.ok(command.name === "serve" || command.name === "check");
    assert.deepEqual("http" in command ? command.http : undefined, { hostname, port });
  });
}

for (
  const address of [
    "127.0.0.1",
    "127.0.0.1:",
    "::1:8080",
    "[::1]",
    "http://x:1",
    "x:70000",
    "a b:1",
    "x:-1",
    "0x10",
  ]
) {
  Deno.test(`--http=${address} is refused`, () => {
    assert.throws(() => parseCommand([`--http=${address}`]), StartError);
  });
}

Deno.test("loopback is this machine's own addresses and one name", () => {
  for (const name of ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"]) {
    assert.ok(isLoopback(name), name);
  }
  for (
    const name of [
      "0.0.0.0",
      "::",
      "10.0.0.1",
      "localhost.example.com",
      "127.0.0.1.example.com",
      "::ffff:127.0.0.1",
    ]
  ) {
    assert.ok(!isLoopback(name), name);
  }
});
