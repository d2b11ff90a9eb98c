/** A real node_exporter for tests: `NODE_EXPORTER_BIN`, else `node_exporter` from `PATH`. */
import { available, findProgram, freePort, listens } from "./real_program.ts";
import { until } from "./until.ts";

const nodeExporter = findProgram("NODE_EXPORTER_BIN", "node_exporter");

/** Whether a node_exporter can be started here. */
export const nodeExporterAvailable: boolean = available(
  nodeExporter,
  "Cannot find node_exporter: set NODE_EXPORTER_BIN to the program",
);

/** Starts one; it ends when disposed. */
export async function startNodeExporter(): Promise<{ readonly address: string } & AsyncDisposable> {
  if (nodeExporter === undefined) throw new Error("Cannot find node_exporter: set NODE_EXPORTER_BIN");
  const address = `127.0.0.1:${freePort()}`;
  const child = new Deno.Command(nodeExporter, {
    args: [`--web.listen-address=${address}`, "--log.level=error"],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const abandon = () => child.kill("SIGKILL");
  globalThis.addEventListener("unload", abandon);
  const release = async () => {
    globalThis.removeEventListener("unload", abandon);
    child.kill("SIGKILL");
    await child.status;
  };
  try {
    await until("node_exporter answers", () => listens(Number(address.replace(/.*:/, ""))));
  } catch (error) {
    await release();
    throw error;
  }
  return { address, [Symbol.asyncDispose]: release };
}
