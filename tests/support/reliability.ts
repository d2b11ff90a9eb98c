/** `docs/reliability.md`: tables that are written from what tests have seen, between marks, and compared with it. */
import assert from "@std/assert";

const page = new URL("../../docs/reliability.md", import.meta.url);

/** Writes a table's rows with `UPDATE_SNAPSHOTS=1`; in CI, fails where the page says something else. */
export async function keepRows(table: string, rows: readonly (readonly string[])[]): Promise<void> {
  const text = await Deno.readTextFile(page);
  const [begin, end] = [`<!-- seen: ${table} -->\n`, "<!-- /seen -->"];
  const start = text.indexOf(begin);
  const stop = text.indexOf(end, start);
  assert.ok(start >= 0 && stop > start, `docs/reliability.md has no place for ${table}`);
  const [, heading = "", rule = ""] = text.slice(start, stop).split("\n");
  const now = `${begin}${[heading, rule, ...rows.map(row)].join("\n")}\n`;
  if (Deno.env.get("UPDATE_SNAPSHOTS") === "1") {
    await Deno.writeTextFile(page, text.slice(0, start) + now + text.slice(stop));
  } else if (Deno.env.get("CI") === "true") {
    // Another system has other words for some faults: no reason for a developer to write the page anew.
    assert.equal(
      text.slice(start, stop),
      now,
      "UPDATE_SNAPSHOTS=1 deno task test:faults writes the page anew",
    );
  }
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => lasting(cell).replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
}

/** Without what changes from run to run. */
function lasting(text: string): string {
  return text.replace(/(127\.0\.0\.1|localhost):\d+/g, "HOST:PORT");
}
