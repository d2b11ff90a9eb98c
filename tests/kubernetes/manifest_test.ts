import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { manifest, manifestPart } from "../../src/kubernetes/manifest.ts";

const object = {
  apiVersion: "v1",
  kind: "Thing",
  metadata: {
    name: "a",
    namespace: "b",
    uid: "u",
    resourceVersion: "7",
    labels: { app: "web" },
    annotations: {},
  },
  spec: {
    list: [{ name: "x", value: "1" }, { name: "y", deep: { map: { a: 1 } } }],
    text: "one\ntwo\n",
    securityContext: {},
    resources: {},
    terminationMessagePath: "/dev/termination-log",
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 60,
    strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "25%", maxSurge: "25%" } },
  },
  status: { conditions: [{ type: "Ready" }], phase: "Fine" },
};

Deno.test("the status comes first, small maps take one line, and noise is left out", () => {
  assert.equal(
    manifest(object),
    `status: {phase: Fine}
metadata: {labels: {app: web}}
spec:
  list:
  - {name: x, value: "1"}
  - {name: y, deep: {map: {a: 1}}}
  text: |
    one
    two
  progressDeadlineSeconds: 60`,
  );
});

/** A Deployment's numbers, and what is left of them. */
const numbers: readonly (readonly [string, Record<string, number>, number, RegExp])[] = [
  ["seen and complete", { updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 }, 3, /^\{spec: /],
  ["one is not ready", { updatedReplicas: 2, readyReplicas: 1, availableReplicas: 1 }, 3, /readyReplicas: 1/],
  ["none is ready", { updatedReplicas: 2 }, 3, /updatedReplicas: 2/],
  [
    "not seen yet",
    { updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 },
    4,
    /observedGeneration: 3[^]*generation: 4/,
  ],
  [
    "some are ending",
    { updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2, terminatingReplicas: 1 },
    3,
    /^\{status: \{terminatingReplicas: 1\}/,
  ],
];

for (const [what, counts, generation, expected] of numbers) {
  Deno.test(`what the table says of replicas is not said again, unless something is up: ${what}`, () => {
    const deployment = {
      metadata: { name: "web", generation },
      spec: { replicas: 2 },
      status: { observedGeneration: 3, replicas: 2, terminatingReplicas: 0, ...counts },
    };
    const text = manifest(deployment, { countsTold: true });
    assert.match(text, expected);
    assert.match(manifest(deployment), /replicas: 2/);
  });
}

Deno.test("hidden characters are spelt out, long texts and lists are cut", () => {
  const text = manifest({
    data: { a: "x\u202ey\x1b[31m", b: "z".repeat(10_000) },
    list: Array.from({ length: 700 }, () => 1),
  });
  assert.match(text, /x\\+u\{202e\}y\\+x1b/);
  assert.match(text, /z{4000}… \(10000 bytes\)/);
  assert.match(text, /… \(700 items\)/);
});

const parts: readonly (readonly [path: string, expected: string])[] = [
  ["spec.list[1].deep.map.a", "1"],
  ["status", "{conditions: [{type: Ready}], phase: Fine}"],
  ['metadata.labels["app"]', "web"],
  ["spec.list[0]", '{name: x, value: "1"}'],
];
for (const [path, expected] of parts) {
  Deno.test(`a part of an object: ${path}`, () => assert.equal(manifestPart(object, path), expected));
}

const wrong: readonly (readonly [path: string, kind: string, hint: RegExp])[] = [
  ["spec.nothing", "not_found", /^there are list, text,/],
  ["spec.list[9]", "not_found", /^there is a list of 2 there$/],
  ["spec.text.more", "not_found", /^there are no fields there$/],
  ["__proto__", "not_found", /^there are apiVersion/],
  ["spec[", "invalid", /^write it as/],
];
for (const [path, kind, hint] of wrong) {
  Deno.test(`no part of an object: ${path}`, () => {
    assert.throws(() => manifestPart(object, path), (error: unknown) => {
      return error instanceof CallError && error.kind === kind && hint.test(error.hint ?? "");
    });
  });
}
