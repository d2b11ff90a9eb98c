import assert from "@std/assert";
import { RawClient, toolAnswer } from "../support/mcp.ts";
import { permitted } from "../support/permitted.ts";

/** What the tests look at of a tool in `tools/list`. */
interface Listed {
  readonly name: string;
  readonly inputSchema: {
    readonly properties: Readonly<Record<string, { readonly type?: string; readonly enum?: unknown }>>;
    readonly required?: readonly string[];
  };
}

/** JSON that fits no argument of these types; `{}` fits none at all. */
const wrong: Readonly<Record<string, readonly string[]>> = {
  string: ["5", "true", '["a"]', "null"],
  integer: ['"5"', '"NaN"', "1.5", "1e999", "-1", "[]", "null"],
  number: ['"5"', '"NaN"', "-1", "1e999", "null"],
  boolean: ['"true"', "1", "null"],
  array: ['"a"', "5", "[]", "[[1]]", '[{"constructor":{"prototype":1}}]', '[{"__proto__":1}]', "null"],
};
/** Empty where it may be: the values bound to a statement. */
const mayBeEmpty = "parameters";

Deno.test({
  name: "every tool says of each bad argument which it is, what it must be and what came, in plain words",
  ignore: !permitted,
  async fn(t) {
    // Over platform-mcp, which has all tools; a call with bad arguments asks no backend.
    await using client = await RawClient.connect({
      program: "platform",
      variables: { RATE_LIMIT_PER_MINUTE: "0" },
    });
    const { result } = await client.request("tools/list");
    const tools = result?.tools as readonly Listed[];
    let id = 1_000;
    /** JSON as it stands: an object of this program could not have a key `__proto__` without more. */
    const refusal = async (tool: string, args: string): Promise<string> => {
      client.write(
        `{"jsonrpc":"2.0","id":${++id},"method":"tools/call","params":{"name":"${tool}","arguments":${args}}}\n`,
      );
      const { text, isError } = toolAnswer(await client.answer(id));
      assert.ok(isError, `${tool} ${args}: ${text}`);
      return text;
    };
    const bare = await client.request("tools/call", { name: "query_database" });
    assert.match(toolAnswer(bare).text, /sql is missing/, "no arguments at all are none");
    for (const { name, inputSchema: { properties, required = [] } } of tools) {
      await t.step(name, async () => {
        const beginning = `Cannot call ${name} with these arguments: `;
        const missing = required.map((argument) => `${argument} is missing: it must be a string`);
        if (missing.length > 0) assert.equal(await refusal(name, "{}"), `${beginning}${missing.join("; ")}.`);
        const good = required.map((argument) => `"${argument}":"x",`);
        for (const [argument, { type = "string" }] of Object.entries(properties)) {
          const others = good.filter((each) => !each.startsWith(`"${argument}"`)).join("");
          for (const value of ["{}", ...wrong[type] ?? []]) {
            if (argument === mayBeEmpty && value === "[]") continue;
            const text = await refusal(name, `{${others}"${argument}":${value}}`);
            assert.ok(text.startsWith(beginning + argument), text);
            assert.match(text.slice(beginning.length), /^[a-z_]+(\[0\])? must be [^;:]+, not [^;:]+\.$/);
            assert.doesNotMatch(text, /invalid|expected|received|too (small|big)|undefined|[<>]/i);
            assert.ok(text.length < 200, text);
          }
        }
        for (const key of ["__proto__", "constructor", "prototype"]) {
          const text = await refusal(name, `{${good.join("")}"${key}":{"prototype":1}}`);
          assert.ok(text.startsWith(`${beginning}unknown argument "${key}"; `), text);
        }
      });
    }
  },
});
