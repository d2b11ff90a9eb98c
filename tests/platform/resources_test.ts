import assert from "@std/assert";
import { CallError } from "../../src/common/errors.ts";
import { createLogger } from "../../src/common/log.ts";
import {
  completeInput,
  completion,
  listedResources,
  resourceList,
  resourceRead,
  type Resources,
  strangeCursor,
} from "../../src/common/resources.ts";
import { joinResources, type ResourceGroup } from "../../src/platform/resources.ts";
import { callTool } from "../support/tools.ts";

const mimeType = "text/plain";
const item = (uri: string) => ({ uri, name: uri, title: uri, mimeType });

/** Pages of resources, one a page; `down` can list nothing. */
function group(scheme: string, pages: number, down = false): ResourceGroup {
  return {
    scheme,
    resources: {
      templates: [{ ...item(`${scheme}://{name}`), uriTemplate: `${scheme}://{name}`, description: "" }],
      list: resourceList({
        run({ cursor = "0" }) {
          if (down) return Promise.reject(new CallError("unavailable", `${scheme} is down`));
          if (!/^\d+$/.test(cursor)) return Promise.reject(strangeCursor());
          return Promise.resolve(Number(cursor));
        },
        present: (page: number) => ({
          text: "",
          structured: listedResources.parse({
            resources: [item(`${scheme}://${page}`)],
            ...(page + 1 < pages ? { nextCursor: String(page + 1) } : {}),
          }),
          rows: 1,
        }),
      }),
      read: resourceRead({
        run: ({ uri }) => Promise.resolve(uri),
        present: (uri: string) => ({ text: `read by ${scheme}`, structured: { uri, mimeType }, rows: 1 }),
      }),
      complete: completion(
        completeInput,
        ({ value }) => Promise.resolve({ values: [`${scheme}-${value}`], total: 1, hasMore: false }),
      ),
    },
  };
}

const silent = createLogger("off");

/** All pages, one after the other. */
async function listed(resources: Resources): Promise<readonly string[]> {
  const uris: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < 20; page++) {
    const { structured } = await callTool(resources.list, cursor === undefined ? {} : { cursor });
    uris.push(...structured.resources.map(({ uri }: { uri: string }) => uri));
    cursor = structured.nextCursor;
    if (cursor === undefined) return uris;
  }
  throw new Error("the pages have no end");
}

Deno.test("resources: the pages of all groups, one after the other", async () => {
  const joined = joinResources([group("a", 2), group("b", 1), group("c", 3)], silent);
  assert.deepEqual(await listed(joined), ["a://0", "a://1", "b://0", "c://0", "c://1", "c://2"]);
  assert.deepEqual(joined.templates.map(({ uriTemplate }) => uriTemplate), [
    "a://{name}",
    "b://{name}",
    "c://{name}",
  ]);
});

const downs: readonly (readonly [string, readonly boolean[], readonly string[]])[] = [
  ["the first", [true, false, false], ["b://0", "c://0"]],
  ["the one between", [false, true, false], ["a://0", "c://0"]],
  ["the last", [false, false, true], ["a://0", "b://0"]],
  ["each", [true, true, true], []],
];
for (const [which, down, expected] of downs) {
  Deno.test(`resources: ${which} is down, and does not hide what the others have`, async () => {
    const schemes = ["a", "b", "c"];
    const groups = schemes.map((scheme, index) => group(scheme, 1, down[index]));
    const log: string[] = [];
    const joined = joinResources(groups, createLogger("warn", (line) => log.push(line)));
    assert.deepEqual(await listed(joined), expected);
    assert.deepEqual(
      log.map((line) => JSON.parse(line)).map(({ level, scheme, reason }) => ({ level, scheme, reason })),
      schemes.filter((_, index) => down[index])
        .map((scheme) => ({ level: "warn", scheme, reason: `${scheme} is down` })),
    );
  });
}

for (const cursor of ["3", "-1", "x", "0.", "0.x", "99"]) {
  Deno.test(`resources: a cursor that no page gave is refused: ${cursor}`, async () => {
    await assert.rejects(callTool(joinResources([group("a", 1), group("b", 1)], silent).list, { cursor }));
  });
}

Deno.test("resources: reading and completing go to the group of the URI's scheme", async () => {
  const joined = joinResources([group("a", 1), group("b", 1)], silent);
  assert.equal((await callTool(joined.read, { uri: "b://0" })).text, "read by b");
  await assert.rejects(callTool(joined.read, { uri: "d://0" }), (error: CallError) => {
    assert.equal(`${error.kind}: ${error.hint}`, "not_found: the resources begin with a://, b://");
    return true;
  });
  assert.ok(joined.complete !== undefined);
  const asked = { argument: "name", value: "x", known: {} };
  const values = async (uriTemplate: string) =>
    (await callTool(joined.complete ?? joined.read, { ...asked, uriTemplate })).structured.values;
  assert.deepEqual(await values("b://{name}"), ["b-x"]);
  assert.deepEqual(await values("d://{name}"), []);
});
