/**
 * What Linux tells of a process. Source: https://man7.org/linux/man-pages/man5/proc.5.html
 *
 * The figures are of the process itself; a launcher that starts another (npx, a Node.js wrapper of a Go binary) is
 * counted with its children.
 */

/** Bytes in memory of a process and its children: now, and (of each at its own time) at most. */
export async function memory(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  let [now, peak] = [0, 0];
  for (const member of await family(pid)) {
    const status = await Deno.readTextFile(`/proc/${member}/status`).catch(() => "");
    now += kilobytes(status, "VmRSS") * 1024;
    peak += kilobytes(status, "VmHWM") * 1024;
  }
  return { now, peak };
}

/** Milliseconds of processor time that a process and its children have taken. */
export async function processorTime(pid: number): Promise<number> {
  let ticks = 0;
  for (const member of await family(pid)) {
    const stat = await Deno.readTextFile(`/proc/${member}/stat`).catch(() => "");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  // A tick is a hundredth of a second on every Linux that Deno runs on.
  return ticks * 10;
}

/** Open file descriptors. */
export async function openFiles(pid: number): Promise<number> {
  return (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
}

async function family(pid: number): Promise<readonly number[]> {
  const members = [pid];
  for (const member of members) {
    const children = await Deno.readTextFile(`/proc/${member}/task/${member}/children`).catch(() => "");
    members.push(...children.split(" ").filter((word) => word.trim() !== "").map(Number));
  }
  return members;
}

function kilobytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
}
