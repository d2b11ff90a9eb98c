/**
 * What Linux tells of a process. Read by `cat` and `ls`: Deno reads below /proc with all permissions alone.
 *
 * Source: https://man7.org/linux/man-pages/man5/proc.5.html
 *
 * The figures are of the process itself; a launcher that starts another (npx, a Node.js wrapper of a Go binary) is
 * counted with its children.
 */

/** Bytes in memory of a process and its children: now, and (of each at its own time) at most. */
export async function memory(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  let [now, peak] = [0, 0];
  for (const member of await family(pid)) {
    const status = await told("cat", `/proc/${member}/status`);
    now += kilobytes(status, "VmRSS") * 1024;
    peak += kilobytes(status, "VmHWM") * 1024;
  }
  return { now, peak };
}

/** Milliseconds of processor time that a process and its children have taken. */
export async function processorTime(pid: number): Promise<number> {
  let ticks = 0;
  for (const member of await family(pid)) {
    const stat = await told("cat", `/proc/${member}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  // A tick is a hundredth of a second on every Linux that Deno runs on.
  return ticks * 10;
}

/** Open file descriptors. */
export async function openFiles(pid: number): Promise<number> {
  return (await told("ls", `/proc/${pid}/fd`)).split("\n").length - 1;
}

async function family(pid: number): Promise<readonly number[]> {
  const members = [pid];
  for (const member of members) {
    const children = await told("cat", `/proc/${member}/task/${member}/children`);
    members.push(...children.split(" ").filter((word) => word.trim() !== "").map(Number));
  }
  return members;
}

/** What the command says of the path; nothing of a process that has ended. */
async function told(command: string, path: string): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args: [path], stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}

function kilobytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
}
