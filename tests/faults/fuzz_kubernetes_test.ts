/** Fuzzing of what a user may hand to kubernetes-mcp: patterns for logs, and a kubeconfig. */
import assert from "@std/assert";
import fc from "fast-check";
import { stringify } from "yaml";
import { Environment } from "../../src/common/env.ts";
import { CallError, StartError } from "../../src/common/errors.ts";
import { readKubernetesSettings } from "../../src/kubernetes/settings.ts";
import { lineTest } from "../../src/kubernetes/log_pattern.ts";
import { rounds } from "../support/rounds.ts";
import { seeds } from "./seeds.ts";

const numRuns = rounds({ short: 500, long: 20_000 });

/** Pieces that regular expressions are made of, those included that take time in others. */
const piece = fc.oneof(
  fc.constantFrom(
    "(a+)+",
    "(a|a)*",
    "(.*)*",
    "a{1,900}",
    "\\b",
    "^",
    "$",
    "[^a-z]",
    "(?i)",
    "(?=a)",
    "\\1",
    "\\p{L}",
  ),
  fc.constantFrom(
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "*",
    "+",
    "?",
    "|",
    "\\",
    ".",
    "\\x{110000}",
    "(?P<n>",
    "\0",
    "\ud800",
  ),
  fc.string({ maxLength: 5, unit: "grapheme" }),
);
const pattern = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
const text = fc.oneof(
  fc.string({ maxLength: 200, unit: "binary" }),
  fc.integer({ min: 1, max: 2_000 }).map((length) => "a".repeat(length)),
);

Deno.test("whatever pattern is given, it is matched or refused in a sentence", () => {
  fc.assert(
    fc.property(pattern, pattern, text, (include, exclude, line) => {
      let test: ReturnType<typeof lineTest>;
      try {
        test = lineTest(include, exclude);
      } catch (error) {
        if (!(error instanceof CallError)) throw error;
        assert.equal(error.kind, "invalid");
        assert.ok(error.message.length < 400, error.message);
        return;
      }
      assert.equal(typeof test?.(line), "boolean");
    }),
    { numRuns, seed: seeds.patterns },
  );
});

const secret = "swordfish-f00dfeed";
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constant(secret),
  fc.constantFrom("https://example.org", "not a url", "/etc/passwd", "\0", null, [], {}, -1, true),
);
const named = (key: string) =>
  fc.oneof(
    odd,
    fc.array(
      fc.oneof(
        odd,
        fc.record({ name: fc.oneof(fc.constant("a"), odd), [key]: fc.oneof(odd, details) }, {
          requiredKeys: [],
        }),
      ),
      { maxLength: 3 },
    ),
  );
const details = fc.record({
  ...Object.fromEntries(
    [
      ...[
        "server",
        "certificate-authority",
        "certificate-authority-data",
        "insecure-skip-tls-verify",
        "proxy-url",
      ],
      ...[
        "client-certificate-data",
        "client-key-data",
        "client-key",
        "tokenFile",
        "username",
        "password",
        "as",
      ],
      ...[
        "cluster",
        "user",
        "namespace",
        "extensions",
        "exec",
        "auth-provider",
        "as-user-extra",
        "as-groups",
      ],
    ].map((key) => [key, odd]),
  ),
  token: fc.constant(secret),
}, { requiredKeys: ["token"] });
const kubeconfig = fc.record({
  apiVersion: odd,
  "current-context": fc.oneof(fc.constant("a"), odd),
  clusters: named("cluster"),
  users: named("user"),
  contexts: named("context"),
}, { requiredKeys: [] });

/** Reads a kubeconfig of that text, as at the start: settings, or a sentence. */
function read(text: string): void {
  const environment = new Environment({
    get: (name) => name === "KUBECONFIG" ? "/home/jane/.kube/config" : undefined,
    readFile: () => text,
  });
  try {
    readKubernetesSettings(environment);
  } catch (error) {
    if (!(error instanceof StartError || error instanceof CallError)) throw error;
    assert.ok(!error.message.includes("\n"), error.message);
    assert.ok(error.message.length < 600, error.message);
    assert.ok(!error.message.includes(secret), error.message);
  }
}

Deno.test("whatever a kubeconfig holds, it is read or refused in one line without its secrets", () => {
  fc.assert(fc.property(kubeconfig, (value) => read(stringify(value))), { numRuns, seed: seeds.kubeconfig });
});

/** A list of ten that stands in a list ten times, and so on: 10 to the 9th in half a kilobyte. */
const bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"].concat(
  Array.from({ length: 8 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(", ")}]`),
  ["clusters: *a8"],
).join("\n");

const hostile: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["noise", "\0\u0001\ufffd"],
  ["a list", "- a"],
  ["a tab", "clusters:\n\t- name: a"],
  ["an anchor bomb", bomb],
  ["an anchor in itself", "clusters: &a [*a]"],
  ["ten thousand levels", `clusters: ${"[".repeat(10_000)}`],
  ["five megabytes", `token: ${"x".repeat(5_000_000)}`],
  ["a key twice, with a secret", `users: ${secret}\nusers: ${secret}`],
  ["a tag", "!!js/function 'function () {}'"],
  ["a prototype", "__proto__: { polluted: true }\nclusters: []"],
];
for (const [what, text] of hostile) {
  Deno.test(`a hostile kubeconfig is read or refused in one line: ${what}`, () => {
    read(text);
    assert.equal("polluted" in {}, false);
  });
}
