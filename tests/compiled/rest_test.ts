import assert from "@std/assert";
import { compiled, programNames, RawClient } from "../support/mcp.ts";
import { until } from "../support/until.ts";

/** Megabytes in memory: now, and at most so far, https://man7.org/linux/man-pages/man5/proc.5.html. */
async function memory(pid: number): Promise<{ readonly now: number; readonly most: number }> {
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/status`] }).output();
  const status = new TextDecoder().decode(stdout);
  const megabytes = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1000;
  return { now: megabytes("VmRSS"), most: megabytes("VmHWM") };
}

for (const program of programNames) {
  Deno.test({
    name: `${program}-mcp gives memory back when its client rests`,
    ignore: !compiled || Deno.build.os !== "linux",
    async fn() {
      await using client = await RawClient.connect({ program });
      const { result } = await client.request("tools/list");
      assert.ok(Array.isArray(result?.tools));
      await until("memory is given back", async () => {
        const { now, most } = await memory(client.pid);
        return now < most - 4;
      });
    },
  });
}
