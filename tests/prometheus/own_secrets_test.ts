/** A server that repeats what it was sent: our secrets are in no answer of the client's. */
import assert from "@std/assert";
import { answerWithoutSecrets } from "../../src/prometheus/own_secrets.ts";
import { failure, FakePrometheus, type Play, success } from "../support/fake_prometheus.ts";
import { permitted } from "../support/permitted.ts";
import { apiOf } from "../support/prometheus_api.ts";
import { rejection } from "../support/rejection.ts";

const token = 'the-"secret"-token-itself';
const password = "hunter2";
const never = { signal: new AbortController().signal };

const stated: Play = () =>
  Response.json({
    status: "error",
    errorType: "bad_data",
    error: `you sent ${token} ${"x".repeat(100_000)}`,
  });

const refusals: readonly (readonly [what: string, play: Play])[] = [
  ["an error of status 400", () => failure(400, "bad_data", `you sent ${token}`)],
  ["an error of status 200", stated],
  ["a plain refusal", () => new Response(`bad token ${token}`, { status: 401 })],
  ["a page", () => new Response(`<title>${token}</title>`, { headers: { "content-type": "text/html" } })],
];
for (const [what, play] of refusals) {
  Deno.test({
    name: `our secrets are masked, and the text is bounded: ${what}`,
    ignore: !permitted,
    async fn() {
      await using fake = new FakePrometheus({ play });
      using asked = apiOf(fake.url, { PROMETHEUS_TOKEN: token });
      const { message } = await rejection(asked.api.query("up", 1, never));
      assert.ok(!message.includes(token) && message.includes("***"), message.slice(0, 300));
      assert.ok(message.length < 2_500, `${message.length} characters`);
    },
  });
}

Deno.test({
  name: "an error of status 200 keeps the backend's type and words",
  ignore: !permitted,
  async fn() {
    await using fake = new FakePrometheus({ play: stated });
    using asked = apiOf(fake.url);
    assert.match(
      (await rejection(asked.api.query("up", 1, never))).message,
      /refuses it: bad_data: you sent the-"sec/,
    );
  },
});

Deno.test({
  name: "our secrets are masked in answers: messages, labels, names, errors of targets",
  ignore: !permitted,
  async fn() {
    const target = {
      labels: { job: "a", echoed: token },
      health: "down",
      lastError: `Get "http://a": ${password}`,
    };
    await using fake = new FakePrometheus({
      play: ({ path }) =>
        path.endsWith("/targets")
          ? success({ activeTargets: [target] })
          : path.endsWith("/metadata")
          ? success({ [token]: [{ type: "counter", help: token, unit: "" }] })
          : success({ resultType: "vector", result: [{ metric: { [token]: token }, value: [1, "1"] }] }, {
            warnings: [`${token} was refused`, ...Array.from({ length: 1_000 }, (_, n) => `w${n}`)],
            infos: [`${password} `.repeat(10_000)],
          }),
    });
    using bearer = apiOf(fake.url, { PROMETHEUS_TOKEN: token });
    const vector = await bearer.api.query("up", 1, never);
    assert.deepEqual(vector.series[0]?.metric, { "***": "***" });
    assert.equal(vector.warnings[0], "*** was refused");
    assert.equal(vector.warnings.length, 100);
    assert.equal(vector.infos[0]?.length, 2_001);
    const metadata = await bearer.api.metadata(undefined, never);
    assert.deepEqual([...metadata], [["***", [{ type: "counter", help: "***", unit: "" }]]]);
    assert.deepEqual((await bearer.api.targets("active", never)).active[0]?.labels, {
      job: "a",
      echoed: "***",
    });

    using basic = apiOf(fake.url, { PROMETHEUS_USERNAME: "reader", PROMETHEUS_PASSWORD: password });
    assert.match((await basic.api.query("up", 1, never)).infos[0] ?? "", /^\*\*\* \*\*\*/);
    assert.equal((await basic.api.targets("active", never)).active[0]?.lastError, 'Get "http://a": ***');
  },
});

Deno.test("a short secret hides no label, and what is not in the answer costs nothing", () => {
  const answer = { data: [{ job: "prometheus" }], warnings: ["prometheus failed"] };
  assert.deepEqual(answerWithoutSecrets(answer, JSON.stringify(answer), ["prometheus"]), {
    data: [{ job: "prometheus" }],
    warnings: ["*** failed"],
  });
  assert.equal(answerWithoutSecrets(answer, JSON.stringify(answer), [token]), answer);
});

Deno.test("JSON that is nested without end is no way to run out of stack", () => {
  const text = `${"[".repeat(200_000)}"\\n"${"]".repeat(200_000)}`;
  const masked = JSON.stringify(answerWithoutSecrets(JSON.parse(text), text, [token]));
  assert.equal(masked, `${"[".repeat(40)}null${"]".repeat(40)}`);
});
