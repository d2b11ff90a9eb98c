/** What Prometheus says beside its answers. */
import assert from "@std/assert";
import { asTold } from "../../src/prometheus/answer_reader.ts";

Deno.test("infos are infos wherever a version puts them, and a flood of messages is bounded", () => {
  const info = "PromQL info: metric might not be a counter";
  assert.deepEqual(asTold(["half of it", info], ["by the way"]), {
    warnings: ["half of it"],
    infos: ["by the way", info],
  });
  assert.deepEqual(asTold(null, undefined), { warnings: [], infos: [] });
  const { warnings } = asTold(Array.from({ length: 1_000 }, () => "x".repeat(100_000)), null);
  assert.deepEqual([warnings.length, warnings[0]?.length], [100, 2_001]);
});
