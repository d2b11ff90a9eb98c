import assert from "@std/assert";
import { lasting, type Played, walkthroughPage } from "../support/walkthrough.ts";
import { play, workflows } from "../support/workflows.ts";
import { startStory, storyAvailable } from "../support/story.ts";

/** A person on call reads it without scrolling to the side, and with one glance. */
function fitsOnScreen(text: string): void {
  const lines = text.split("\n");
  assert.ok(lines.length <= 40, `${lines.length} lines`);
  for (const line of lines) assert.ok(line.length <= 110, `${line.length} columns: ${line}`);
}

Deno.test({
  name: "the tutorial's workflows reach the true cause in few calls and few tokens",
  ignore: !storyAvailable,
  async fn(t) {
    await using story = await startStory();
    const played: Played[] = [];
    for (const workflow of workflows) {
      await t.step(workflow.question, async () => {
        const { calls } = await play(workflow, story.variables);
        played.push({ workflow, calls });
        assert.ok(calls.length <= 6, `${calls.length} calls`);
        const tokens = calls.reduce((sum, call) => sum + call.tokens, 0);
        assert.ok(tokens <= 8_000, `${tokens} tokens`);
        const texts = calls.map(({ text }) => text).join("\n");
        for (const truth of workflow.truths) assert.match(texts, truth);
        for (const call of calls) {
          assert.equal(call.isError, false, call.text);
          if (call.tool === "service_health_report") fitsOnScreen(call.text);
        }
      });
    }
    await t.step(
      "docs/walkthrough.md says what is said now (deno task walkthrough writes it anew)",
      async () => {
        const file = new URL("../../docs/walkthrough.md", import.meta.url);
        const page = walkthroughPage(played);
        if (Deno.env.get("UPDATE_SNAPSHOTS") === "1") await Deno.writeTextFile(file, page);
        // Another version of PostgreSQL has other words, and is no reason to write the page anew.
        if (Deno.env.get("CI") !== "true") return;
        const written = lasting(await Deno.readTextFile(file));
        const now = lasting(page);
        assert.deepEqual([...now].filter((line) => !written.has(line)), [], "lines that the page lacks");
        assert.deepEqual([...written].filter((line) => !now.has(line)), [], "lines that the page alone has");
      },
    );
  },
});
