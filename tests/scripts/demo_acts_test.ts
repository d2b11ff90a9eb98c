/** The longest of the demo's tests, in a file of its own so that it runs beside the others. */
import assert from "@std/assert";
import { demo } from "../support/demo.ts";
import { storyAvailable } from "../support/story.ts";

Deno.test(
  "the demo's further acts reach the cause on a real PostgreSQL, Prometheus and Kubernetes",
  { ignore: !storyAvailable },
  async () => {
    const text = await demo({}, ["PROMETHEUS_URL"]);
    assert.equal(text.match(/answered in/g)?.length, 14);
    assert.equal(text.match(/refused in/g)?.length, 3);
    assert.match(text, /platform-mcp: is this service healthy/);
    assert.match(text, /1\. Database connections are running out/);
    assert.doesNotMatch(text, /Skipped/);
  },
);
