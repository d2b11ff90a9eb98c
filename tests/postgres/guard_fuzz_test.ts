import assert from "@std/assert";
import { fuzz } from "./corpus/fuzz.ts";
import { onServer } from "./corpus/server.ts";

onServer("a few hundred generated statements: what the guard accepts changes nothing", async (_, server) => {
  const report = await fuzz(server, 1, 400);
  // A generator that makes nothing but nonsense would show nothing.
  assert.ok(report.accepted > 100 && report.ran > 50, JSON.stringify(report));
});
