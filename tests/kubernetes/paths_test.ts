import assert from "@std/assert";
import fc from "fast-check";
import { CallError } from "../../src/common/errors.ts";
import {
  collectionPath,
  discoveryPath,
  objectPath,
  podLogPath,
  ReadPath,
  type ResourceType,
} from "../../src/kubernetes/paths.ts";
import type { Connection } from "../../src/kubernetes/connection.ts";
import { Door } from "../../src/kubernetes/door.ts";
import { refuseSubresource } from "../../src/kubernetes/kinds.ts";
import { deploymentType, namespaceType, nodeType, podType } from "../../src/kubernetes/well_known.ts";

const cases: readonly [name: string, path: () => ReadPath, text: string][] = [
  ["pods of a namespace", () => collectionPath(podType, "shop"), "/api/v1/namespaces/shop/pods"],
  ["pods of all namespaces", () => collectionPath(podType, undefined), "/api/v1/pods"],
  [
    "a deployment",
    () => objectPath(deploymentType, "shop", "web"),
    "/apis/apps/v1/namespaces/shop/deployments/web",
  ],
  ["a node", () => objectPath(nodeType, undefined, "node-1"), "/api/v1/nodes/node-1"],
  ["a namespace", () => objectPath(namespaceType, undefined, "shop"), "/api/v1/namespaces/shop"],
  [
    "a name with a colon",
    () => objectPath(nodeType, undefined, "system:node"),
    "/api/v1/nodes/system%3Anode",
  ],
  ["a log", () => podLogPath("shop", "web-1"), "/api/v1/namespaces/shop/pods/web-1/log"],
  ["a log of a name with a colon", () => podLogPath("shop", "a:b"), "/api/v1/namespaces/shop/pods/a%3Ab/log"],
  ["discovery", () => discoveryPath({ group: "apps", version: "v1" }), "/apis/apps/v1"],
];
for (const [name, path, text] of cases) {
  Deno.test(`the path of ${name}`, () => assert.equal(path().text, text));
}

const pods = (changes: Partial<ResourceType>): ResourceType => ({ ...podType, ...changes });
const refused: readonly [name: string, path: () => unknown][] = [
  ["a slash in a name", () => objectPath(podType, "shop", "web/exec")],
  ["an encoded slash in a name", () => objectPath(podType, "shop", "web%2fexec")],
  ["two dots as a name", () => objectPath(podType, "shop", "..")],
  ["a dot as a name", () => objectPath(podType, "shop", ".")],
  ["a name of 254 characters", () => objectPath(podType, "shop", "x".repeat(254))],
  ["a group of 254 characters", () => collectionPath(pods({ group: "x".repeat(254) }), "shop")],
  ["an empty name", () => objectPath(podType, "shop", "")],
  ["a question mark in a name", () => objectPath(podType, "shop", "web?watch=1")],
  ["a fragment in a name", () => objectPath(podType, "shop", "web#x")],
  ["a backslash in a name", () => objectPath(podType, "shop", "web\\exec")],
  ["a line break in a name", () => objectPath(podType, "shop", "web\n")],
  ["a slash in a namespace", () => collectionPath(podType, "shop/pods/web/exec")],
  ["two dots as a namespace", () => collectionPath(podType, "..")],
  ["a namespace with capitals", () => collectionPath(podType, "Shop")],
  ["a subresource as a plural", () => collectionPath(pods({ plural: "pods/exec" }), "shop")],
  ["exec as a plural", () => collectionPath(pods({ plural: "exec" }), "shop")],
  ["the old watch verb", () => collectionPath(pods({ plural: "watch" }), undefined)],
  ["the old proxy verb", () => collectionPath(pods({ plural: "proxy" }), undefined)],
  ["finalize of a namespace", () => collectionPath(pods({ plural: "finalize" }), "shop")],
  ["a group with a slash", () => collectionPath(pods({ group: "apps/v1" }), "shop")],
  ["a version with dots", () => collectionPath(pods({ version: ".." }), "shop")],
  ["a pod without a namespace", () => objectPath(podType, undefined, "web")],
  ["a node in a namespace", () => objectPath(nodeType, "shop", "node-1")],
  ["a log of two dots", () => podLogPath("shop", "..")],
  ["kind pods/exec", () => refuseSubresource("pods/exec")],
  ["kind Pod/portforward", () => refuseSubresource("Pod/portforward")],
];
for (const [name, path] of refused) {
  Deno.test(`no path can be made of ${name}`, () => {
    assert.throws(
      path,
      (error: unknown) => error instanceof CallError && ["invalid", "refused"].includes(error.kind),
    );
  });
}

Deno.test("whatever the names, a path stays what it says", () => {
  const hostile = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom("..", "%2e%2e", "a/../b", "x/exec", "x%2Fexec", "x?command=sh", "web", "a:b", "a b", "é"),
  );
  fc.assert(
    fc.property(hostile, hostile, hostile, (plural, namespace, name) => {
      let path: ReadPath;
      try {
        path = objectPath(pods({ plural }), namespace, name);
      } catch (error) {
        assert.ok(error instanceof CallError);
        return;
      }
      // What a server decodes must be the very name, in its one segment.
      const segments = new URL(path.text, "https://host").pathname.split("/");
      assert.equal(segments.length, 7);
      assert.deepEqual(segments.slice(0, 4), ["", "api", "v1", "namespaces"]);
      assert.equal(decodeURIComponent(segments[6] ?? ""), name);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a path can't be forged", () => {
  assert.equal(ReadPath.isGenuine({ text: "/api/v1/pods", what: {} }), false);
  assert.equal(ReadPath.isGenuine(Object.create(ReadPath.prototype)), false);
  assert.equal(ReadPath.isGenuine(podLogPath("a", "b")), true);
});

Deno.test("the door asks for no path that only looks like one", async () => {
  const connection = { route: () => assert.fail("it was asked"), close() {} } as unknown as Connection;
  const door = new Door("test", connection, 1_000);
  const { text, what } = collectionPath(podType, "shop");
  const forged = Object.assign(Object.create(ReadPath.prototype), { text, what });
  const options = { signal: new AbortController().signal };
  const isRefused = (error: unknown) => error instanceof CallError && error.kind === "refused";
  await assert.rejects(door.object(forged, {}, options), isRefused);
  await assert.rejects(door.table(forged, {}, options), isRefused);
  await assert.rejects(door.log(forged, {}, { ...options, maxBytes: 1 }).next(), isRefused);
});
