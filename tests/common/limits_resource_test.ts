import assert from "@std/assert";
import { limitsText, withLimits } from "../../src/common/limits_resource.ts";
import { noSuchResource, resourceList, resourceRead } from "../../src/common/resources.ts";
import { callTool } from "../support/tools.ts";

const mimeType = "text/plain";

Deno.test("limits_resource: it stands on the first page alone, and every other URI is the program's", async () => {
  const list = resourceList({
    run: ({ cursor }) => Promise.resolve(cursor),
    present: (cursor: string | undefined) => ({
      text: "",
      structured: {
        resources: [{ uri: `x://own${cursor ?? ""}`, name: "own", title: "Own", mimeType }],
        ...(cursor === undefined ? { nextCursor: "2" } : {}),
      },
      rows: 1,
    }),
  });
  const read = resourceRead({
    run: ({ uri }) => uri === "x://own" ? Promise.resolve(uri) : Promise.reject(noSuchResource(uri, "none")),
    present: (uri: string) => ({ text: "its text", structured: { uri, mimeType }, rows: 1 }),
  });
  const resources = withLimits({ templates: [], list, read }, "x://limits", () => "the limits");
  const listed = async (args: Readonly<Record<string, string>>) => {
    const { structured } = await callTool(resources.list, args);
    return [structured.resources.map(({ uri }: { uri: string }) => uri), structured.nextCursor];
  };
  assert.deepEqual(await listed({}), [["x://limits", "x://own"], "2"]);
  assert.deepEqual(await listed({ cursor: "2" }), [["x://own2"], undefined]);
  assert.equal((await callTool(resources.read, { uri: "x://limits" })).text, "the limits");
  assert.equal((await callTool(resources.read, { uri: "x://own" })).text, "its text");
  await assert.rejects(callTool(resources.read, { uri: "x://limit" }), /no resource/);
});

Deno.test("limits_resource: a permission is all, none, or what was named", () => {
  const text = limitsText({
    server: "x 1",
    limits: [{ name: "MAX", value: 1_000, purpose: "of them" }],
    deadlineMs: 90_000,
    givenUp: ["read"],
    plugins: ["aws"],
    groups: [],
  });
  assert.match(text, /^ {2}MAX 1,000: of them\n {2}a call is given up after 1 min 30 s$/m);
  assert.match(text, /^ {2}read: none$/m);
  const { state } = Deno.permissions.querySync({ name: "net" });
  const net = state === "granted" ? "all" : "what its build or its start named, and nothing else";
  assert.ok(text.includes(`\n  net: ${net}\n`));
});
